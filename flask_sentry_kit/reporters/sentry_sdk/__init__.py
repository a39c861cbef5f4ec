"""The sentry-sdk reporter: the app initialises the SDK, and the kit asks it for its events' ids."""
