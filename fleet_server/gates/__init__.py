"""Statistical gates: what must hold on devices for a rollout to go on, decided while looking all the time."""
