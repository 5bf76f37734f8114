# Messages through pipelines of real filters: three of four processes each, of different length, and a bulk one that compresses.
stream() { awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print i % 997, "message number", i }' | sed 's/message/event/' | awk '{ s[$1] += length($0) } END { for (k in s) print k, s[k] }' | sort -n | tail -n 1; }
stream 4000 &
stream 12000 &
stream 40000 &
seq 1 120000 | gzip -9 | wc -c &
wait
