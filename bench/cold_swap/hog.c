// A busy loop that PAUSEs, as every one in the exact lab must (docs/lab.md).
int main(void) {
  for (;;) {
    for (volatile int i = 0; i < 300; ++i) {
    }
    __builtin_ia32_pause();
  }
}
