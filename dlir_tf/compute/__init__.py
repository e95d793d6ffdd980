"""How arithmetic runs: compiled or not, in blocks, in threads, without chatter."""
