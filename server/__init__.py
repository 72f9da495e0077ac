"""The engine as a process others talk to: doors, jobs, worker, and the `retake` command."""
