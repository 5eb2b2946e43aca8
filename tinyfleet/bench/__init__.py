"""What ``tinyfleet bench rollout`` measures: whole rollouts in virtual time, over real results of people."""
