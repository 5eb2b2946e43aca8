"""How to train for a kind of task: one readable file each, and the same for a user's own."""
