# A web server under open-loop load: nginx with four workers, small files and, one in ten, a large one that it compresses on the way; two number crunchers beside it.
mkdir -p /tmp/www /tmp/t
cd /tmp
awk 'BEGIN { for (i = 0; i < 60; i++) print i, "a line of a small page" > "/tmp/www/small"; for (i = 0; i < 6000; i++) print i, i * i % 9973, "a line of a large page" > "/tmp/www/large" }'
cat > nginx.conf <<'C'
user root; daemon off; worker_processes 4; error_log stderr crit; pid /tmp/nginx.pid;
events { worker_connections 256; }
http { access_log off; default_type text/plain; keepalive_requests 1000000; gzip on; gzip_comp_level 6; gzip_min_length 20000;
  client_body_temp_path /tmp/t; proxy_temp_path /tmp/t; fastcgi_temp_path /tmp/t; uwsgi_temp_path /tmp/t; scgi_temp_path /tmp/t;
  server { listen unix:/tmp/http; root /tmp/www; } }
C
echo 'root:x:0:0::/:/bin/sh' > /etc/passwd
echo 'root:x:0:' > /etc/group
nginx -p /tmp -c /tmp/nginx.conf &
until [ -S /tmp/http ]; do usleep 10000; done
for i in 1 2; do awk 'BEGIN { for (i = 0; i < 400000; i++) x += i % 7 }' & crunchers="$crunchers $!"; done
/mix/load http /tmp/http 32 300 6 1
wait $crunchers
kill "$(cat /tmp/nginx.pid)"
wait
