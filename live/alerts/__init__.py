"""What happens when a value crosses a threshold: it is kept, logged, posted to a webhook, and shown."""
