"""From the state to lines: what each screen says, as pure functions without a terminal."""
