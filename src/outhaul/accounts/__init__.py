"""Subscriptions, API users, permissions, custom services, access tokens, limits and usage."""
