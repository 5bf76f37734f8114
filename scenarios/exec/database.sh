# SQLite in memory-backed files, write-ahead log: two clients that insert in transactions, two that ask for sums, one that looks up single rows again and again.
mkdir -p /tmp/db
mount -t tmpfs none /tmp/db
cd /tmp/db
echo 'PRAGMA journal_mode=WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT); CREATE INDEX ta ON t(a);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t(a, b) SELECT i * 7919 % 1000, hex(i) FROM n;' | sqlite3 x.db > /dev/null
for c in 1 2; do awk -v c=$c 'BEGIN { print ".timeout 60000"; for (t = 0; t < 60; t++) { print "BEGIN IMMEDIATE;"; for (i = 0; i < 20; i++) printf "INSERT INTO t(a, b) VALUES(%d, hex(%d));\n", (t * 31 + i * 17 + c) % 1000, t; print "COMMIT;" } }' | sqlite3 x.db & done
for c in 1 2; do awk 'BEGIN { print ".timeout 60000"; for (t = 0; t < 20; t++) printf "SELECT count(*), sum(length(b)) FROM t WHERE a %% 13 = %d;\n", t % 13 }' | sqlite3 x.db > /dev/null & done
(for i in $(seq 1 40); do echo "SELECT b FROM t WHERE id = $((i * 37));" | sqlite3 -cmd '.timeout 60000' x.db; usleep 50000; done) > /dev/null &
wait
echo 'SELECT count(*) FROM t;' | sqlite3 x.db
