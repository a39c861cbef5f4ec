-- A spool as version 2 made it: an event, a report, and a report whose first request was answered.
PRAGMA application_id = 1934322036;
PRAGMA user_version = 2;
CREATE TABLE items (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    event_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    request TEXT NOT NULL,
    body BLOB NOT NULL,
    fallback TEXT,
    fallback_body BLOB,
    use_fallback INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL
);
CREATE TABLE refused (id INTEGER PRIMARY KEY, reason TEXT NOT NULL);
CREATE TABLE total (items INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO total VALUES (0, 0);
CREATE TRIGGER item_in AFTER INSERT ON items BEGIN
    UPDATE total SET items = items + 1, bytes = bytes + NEW.size;
END;
CREATE TRIGGER item_out AFTER DELETE ON items BEGIN
    UPDATE total SET items = items - 1, bytes = bytes - OLD.size;
END;
INSERT INTO items VALUES (7, 'event', 'crash', 'http://127.0.0.1:1',
    '{"url": "http://127.0.0.1:1/api/1/store/", "headers": {"X-Sentry-Auth": "Sentry sentry_key=a"}}',
    CAST('{"event_id": "crash"}' AS BLOB), NULL, NULL, 0, 3, 1080);
INSERT INTO items VALUES (8, 'feedback', 'crash', 'http://127.0.0.1:1',
    '{"url": "http://127.0.0.1:1/api/embed/error-page/?eventId=crash", "headers": {"Referer": "b"}}',
    CAST('comments=oh' AS BLOB),
    '{"url": "http://127.0.0.1:1/api/1/envelope/", "headers": {"X-Sentry-Auth": "Sentry sentry_key=a"}}',
    CAST('{}
{}
' AS BLOB), 0, 0, 1145);
INSERT INTO items VALUES (9, 'feedback', 'crash', 'http://127.0.0.1:1',
    '{"url": "http://127.0.0.1:1/api/embed/error-page/?eventId=crash", "headers": {}}',
    CAST('comments=oh' AS BLOB),
    '{"url": "http://127.0.0.1:1/api/1/envelope/", "headers": {}}', CAST('{}
{}
' AS BLOB), 1, 0, 1145);
