"""The catalog of a subscription: lead fields, activity types, custom object types and assets."""
