// A bundle that cannot be loaded.
throw new SyntaxError("a broken bundle");
