#!/bin/sh
# Runs in the guest; `run` reads what it leaves in the kernel's log, whose one clock stamps the marks below, every line that a daemon says, and what sched_ext itself reports.
rounds=$1
# The two daemons start the same file: /peer/scx_lavd, which is scx_flash under the name that scx_loader's rule wants (the real one loads for half a virtual minute); in /broken is one that ends at once.
mkdir -p /peer /broken
printf '#!/bin/sh\necho "bench: program" >/dev/kmsg\nexec /bin/scx_flash\n' >/peer/scx_lavd
printf '#!/bin/sh\necho "bench: program" >/dev/kmsg\necho no such luck >&2\nexit 1\n' >/broken/scx_lavd
chmod +x /peer/scx_lavd /broken/scx_lavd
printf '[peer]\ncommand = ["/peer/scx_lavd"]\nops = "flash"\n[broken]\ncommand = ["/broken/scx_lavd"]\nops = "flash"\n' >/arms.toml
mkfifo /said
echo on >/proc/sys/kernel/printk_devkmsg  # unlimited

mark() { echo "bench: $*" >/dev/kmsg; }
state() { echo "$(cat /sys/kernel/sched_ext/state) $(cat /sys/kernel/sched_ext/root/ops 2>/dev/null)"; }
await() {
  i=0
  while [ "$(cat /sys/kernel/sched_ext/state)" != "$1" ] && [ $i -lt "$2" ]; do sleep .1; i=$((i + 1)); done
}

# round WHO WHAT NAP: a daemon with /peer or /broken, and after NAP seconds four busy loops.
round() {
  who=$1 what=$2
  folder=/peer
  [ "$what" != broken ] || folder=/broken
  while read -r line; do mark "said $line"; done </said &
  if [ "$who" = pointsman ]; then
    pointsman run --arm-file /arms.toml --controller "scx_loader:arm=${folder#/}" >/said 2>&1 &
  else
    PATH=$folder:$PATH scx_loader --auto >/said 2>&1 &
  fi
  daemon=$!
  sleep "$3"
  mark "round $who $what"
  hogs=
  for _ in 1 2 3 4; do hog & hogs="$hogs $!"; done
  # Long enough for a second try, where there is one.
  case $what in
    good) await enabled 200; sleep 1 ;;
    killed) await enabled 200; sleep 1; mark "kill"; killall -9 scx_flash; sleep 5 ;;
    broken) sleep 12 ;;
  esac
  kill $hogs
  mark "daemon's end, the kernel says $(state)"
  kill -TERM $daemon
  sleep 3
  mark "after it the kernel says $(state)"
  killall scx_flash 2>/dev/null
  await disabled 100
  sleep 5
}

# The first start of a program is slower than all others: neither of the two has to bear it.
scx_flash >/dev/null 2>&1 &
await enabled 100
killall scx_flash
await disabled 100
sleep 5
# The rules look at their own moments, so the loops start at another one in every round.
run=0
while [ $run -lt "$rounds" ]; do
  for who in scx_loader pointsman; do round $who good "12.$(printf %03d $((run * 137 % 1000)))"; done
  run=$((run + 1))
done
for what in broken killed; do
  for who in scx_loader pointsman; do round $who $what 12; done
done
dmesg | grep -E 'bench: |sched_ext: '
