# A server's operations on files in memory, eight processes with planned moments, beside two number crunchers. $1: file_server, web_server or mail; $2: operations a second.
mkdir -p /tmp/files
mount -t tmpfs none /tmp/files
cd /tmp/files
for i in 1 2; do awk 'BEGIN { for (i = 0; i < 400000; i++) x += i % 7 }' & done
/mix/load files "$1" 8 "$2" 6 1
wait
