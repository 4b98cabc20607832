"""The work of the example: what both apps trace. Knows nothing of tracing."""

import sqlite3


def count_open(database):
    """Makes a few orders in `database` and returns how many of them are open."""
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, open INTEGER)")
    connection.executemany("INSERT INTO orders (open) VALUES (?)", [(1,), (0,), (1,)])
    return connection.execute("SELECT COUNT(*) FROM orders WHERE open").fetchone()[0]
