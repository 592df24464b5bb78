"""Learning a topic while processes are killed, brokers vanish, disks fill and clocks jump."""
