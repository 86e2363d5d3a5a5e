"""How walks run: the lengths of their steps, their detours, how near to data they stay, and geodesics of a decoder."""
