"""Who may ask: subscriptions, API users, their permissions, custom services and tokens."""
