# make -j4 of a small tree of C, compiler and assembler as processes of their own, while two people's commands come every 200 ms.
mkdir -p /tmp/tree
cd /tmp/tree
for u in $(seq 1 24); do
  awk -v u="$u" 'BEGIN { srand(u); n = 6 + int(rand() * 40); for (f = 0; f < n; f++) printf "int f%d_%d(int *a, int n) { int s = %d; for (int i = 0; i < n; i++) { if (a[i] %% %d == 0) s += a[i] * i; else s ^= a[i] >> %d; } return s; }\n", u, f, f, f + 2, f % 7 }' > "u$u.c"
done
cat > Makefile <<'M'
all: $(patsubst %.c,%.o,$(wildcard *.c))
%.o: %.c
	@cc1 -quiet -ffreestanding -O2 $< -o $*.s && as $*.s -o $@
M
for person in 1 2; do (for i in $(seq 1 25); do usleep 200000; ls -l /tmp/tree | wc -l > /dev/null; done) & done
make -j4 || exit 1
wait
ls ./*.o | wc -l
