-- The projection of the journal. Prices, quantities and money are integers in units of 10^-8; times are milliseconds since
-- 1970-01-01 UTC; seq is the journal's record number. Everything here can be rebuilt from the journal.

CREATE TABLE progress (
    only_row      INTEGER PRIMARY KEY CHECK (only_row = 1),
    projected_seq INTEGER NOT NULL,
    -- Hash chain value inside the last projected record: tells this journal from another one.
    prev          BLOB NOT NULL
) STRICT;
INSERT INTO progress (only_row, projected_seq, prev) VALUES (1, 0, x'');

CREATE TABLE orders (
    -- Client id, or `order:<symbol>:<number>` / `algo:<symbol>:<number>` for foreign orders.
    key           TEXT PRIMARY KEY,
    seq           INTEGER NOT NULL,
    client_id     TEXT,
    strategy      TEXT NOT NULL,
    decision      INTEGER NOT NULL,
    symbol        TEXT NOT NULL,
    side          TEXT NOT NULL,
    position_side TEXT NOT NULL,
    role          TEXT,
    kind          TEXT,
    qty           INTEGER NOT NULL,
    filled        INTEGER NOT NULL,
    fill_qty      INTEGER NOT NULL,
    fill_value    INTEGER NOT NULL,
    status        TEXT NOT NULL,
    status_rank   INTEGER NOT NULL,
    open          INTEGER NOT NULL,
    order_id      INTEGER,
    algo_id       INTEGER,
    reject        TEXT,
    created_ms    INTEGER NOT NULL,
    updated_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_by_seq ON orders (seq);
CREATE INDEX orders_by_symbol ON orders (symbol, seq);
CREATE INDEX orders_open ON orders (seq) WHERE open = 1;

CREATE TABLE fills (
    symbol        TEXT NOT NULL,
    trade_id      INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    order_id      INTEGER NOT NULL,
    client_id     TEXT,
    strategy      TEXT NOT NULL,
    side          TEXT NOT NULL,
    position_side TEXT NOT NULL,
    price         INTEGER NOT NULL,
    qty           INTEGER NOT NULL,
    realized      INTEGER NOT NULL,
    fee           INTEGER NOT NULL,
    fee_in_usdt   INTEGER NOT NULL,
    maker         INTEGER NOT NULL,
    time_ms       INTEGER NOT NULL,
    PRIMARY KEY (symbol, trade_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX fills_by_seq ON fills (seq);

CREATE TABLE trades (
    seq       INTEGER PRIMARY KEY,
    strategy  TEXT NOT NULL,
    symbol    TEXT NOT NULL,
    long      INTEGER NOT NULL,
    qty       INTEGER NOT NULL,
    entry     INTEGER NOT NULL,
    exit      INTEGER NOT NULL,
    realized  INTEGER NOT NULL,
    fees      INTEGER NOT NULL,
    funding   INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    opened_ms INTEGER NOT NULL,
    closed_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX trades_by_symbol ON trades (symbol, seq);

CREATE TABLE positions (
    symbol          TEXT NOT NULL,
    side            TEXT NOT NULL,
    qty             INTEGER NOT NULL,
    entry           INTEGER NOT NULL,
    margin_mode     TEXT NOT NULL,
    isolated_wallet INTEGER NOT NULL,
    seq             INTEGER NOT NULL,
    updated_ms      INTEGER NOT NULL,
    PRIMARY KEY (symbol, side)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    seq      INTEGER PRIMARY KEY,
    number   INTEGER NOT NULL,
    against  TEXT NOT NULL,
    amount   INTEGER NOT NULL,
    symbol   TEXT,
    strategy TEXT NOT NULL,
    source   TEXT NOT NULL,
    time_ms  INTEGER NOT NULL
) STRICT;

CREATE TABLE income (
    kind    TEXT NOT NULL,
    tran_id INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    symbol  TEXT,
    amount  INTEGER NOT NULL,
    asset   TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, tran_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE equity (
    seq       INTEGER PRIMARY KEY,
    time_ms   INTEGER NOT NULL,
    wallet    INTEGER NOT NULL,
    equity    INTEGER NOT NULL,
    -- Equity at the last UTC midnight, and the highest so far.
    day_start INTEGER NOT NULL,
    peak      INTEGER NOT NULL
) STRICT;
CREATE INDEX equity_by_time ON equity (time_ms);

CREATE TABLE bars (
    symbol       TEXT NOT NULL,
    timeframe    TEXT NOT NULL,
    open_ms      INTEGER NOT NULL,
    open         INTEGER NOT NULL,
    high         INTEGER NOT NULL,
    low          INTEGER NOT NULL,
    close        INTEGER NOT NULL,
    volume       INTEGER NOT NULL,
    quote_volume INTEGER NOT NULL,
    trades       INTEGER NOT NULL,
    PRIMARY KEY (symbol, timeframe, open_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    seq     INTEGER PRIMARY KEY,
    kind    TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    body    TEXT NOT NULL
) STRICT;

CREATE TABLE refusals (
    seq      INTEGER PRIMARY KEY,
    strategy TEXT NOT NULL,
    symbol   TEXT NOT NULL,
    code     TEXT NOT NULL,
    time_ms  INTEGER NOT NULL,
    body     TEXT NOT NULL
) STRICT;
CREATE INDEX refusals_by_code ON refusals (code, seq);

CREATE TABLE notifications (
    seq      INTEGER PRIMARY KEY,
    severity TEXT NOT NULL,
    code     TEXT NOT NULL,
    text     TEXT NOT NULL,
    symbol   TEXT,
    time_ms  INTEGER NOT NULL
) STRICT;

CREATE TABLE dead_letters (
    seq        INTEGER PRIMARY KEY,
    actor      TEXT NOT NULL,
    message    TEXT NOT NULL,
    message_id INTEGER NOT NULL,
    text       TEXT NOT NULL,
    place      TEXT NOT NULL,
    restarts   INTEGER NOT NULL,
    time_ms    INTEGER NOT NULL
) STRICT;

CREATE TABLE unreadable (
    seq    INTEGER PRIMARY KEY,
    kind   TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
