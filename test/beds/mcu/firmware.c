/*
 * Firmware for boards with a Cortex-M that QEMU has: runs a few tests of its own and reports them as such firmware
 * does, then answers at a prompt. Freestanding; BOARD and UART come from the command line (mcu.ts).
 */
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#ifdef PL011
static void uart_start(void) {}
static int uart_is_full(void) { return (REGISTER(UART + 0x18) & 0x20) != 0; }
static int uart_has_input(void) { return (REGISTER(UART + 0x18) & 0x10) == 0; }
#else /* the UART of Arm's CMSDK */
static void uart_start(void) {
  REGISTER(UART + 0x10) = 16; /* divider */
  REGISTER(UART + 0x08) = 3;  /* receive and send */
  (void)REGISTER(UART);       /* QEMU looks for input again when something is read */
}
static int uart_is_full(void) { return (REGISTER(UART + 0x04) & 1) != 0; }
static int uart_has_input(void) { return (REGISTER(UART + 0x04) & 2) != 0; }
#endif

static void put(char c) {
  while (uart_is_full()) {
  }
  REGISTER(UART) = (uint32_t)c;
}

static void say(const char *text) {
  for (; *text; text++) {
    if (*text == '\n') put('\r');
    put(*text);
  }
}

static char listen(void) {
  while (!uart_has_input()) {
  }
  return (char)REGISTER(UART);
}

static int is_same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

/* Looked at by a debugger. */
volatile int tests_run;

static void report(int passed, const char *name) {
  tests_run++;
  say(passed ? "PASS - " : "FAIL - ");
  say(name);
  say(".\n");
}

__attribute__((noinline)) void run_tests(void) {
  volatile int two = 2;
  say("*** Booting firmware on " BOARD " ***\nTesting the board\n");
  report(two + two == 4, "arithmetic");
  report(two * 0 == 1, "known_bug");
  say("core temperature: 23.5 C\n");
  say("PROJECT EXECUTION SUCCESSFUL\n");
}

static void answer(const char *command) {
  if (is_same(command, "version")) {
    say("version 1.2 on " BOARD "\n");
  } else if (is_same(command, "reboot")) {
    REGISTER(0xE000ED0C) = 0x05FA0004; /* reset by the system control block */
  } else if (is_same(command, "fault")) {
    say("panic: hard fault\n");
    for (;;) {
    }
  } else if (*command) {
    say("error: unknown command ");
    say(command);
    say("\n");
  }
}

void reset_handler(void) {
  static char line[64];
  unsigned length = 0;
  uart_start();
  run_tests();
  say("fw> ");
  for (;;) {
    char c = listen();
    if (c == '\r' || c == '\n') {
      line[length] = 0;
      length = 0;
      say("\n");
      answer(line);
      say("fw> ");
    } else {
      put(c);
      if (length < sizeof line - 1) line[length++] = c;
    }
  }
}

static void stay(void) {
  for (;;) {
  }
}

extern uint32_t stack_top;
__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    &stack_top, reset_handler, stay, stay, stay, stay, stay, 0, 0, 0, 0, stay, stay, 0, stay, stay,
};
