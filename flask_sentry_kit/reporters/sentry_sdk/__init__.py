"""The reporter on sentry-sdk, which an app has initialised itself. Loaded when it is used."""
