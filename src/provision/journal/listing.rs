//! The journal as JSON, `pinwright.history/1`, for the command and for the agent's control socket.

use serde_json::{Value, json};

use super::{History, Journal, Record};

/// The schema of [`listing`].
pub const LISTING_SCHEMA: &str = "pinwright.history/1";

/// What a look into the journal's folder found.
#[must_use]
pub fn listing(journal: &Journal, history: &History) -> Value {
    let records: Vec<Value> = history.records.iter().map(record).collect();
    let unreadable: Vec<Value> =
        history.unreadable.iter().map(|file| json!({"file": file.file, "reason": file.reason})).collect();
    json!({
        "schema": LISTING_SCHEMA,
        "folder": journal.folder(),
        "records": records,
        "unreadable": unreadable,
    })
}

fn record(record: &Record) -> Value {
    json!({
        "id": record.id,
        "started": record.started,
        "changed": record.changed,
        "point": record.point.name(),
        "open": record.point.is_open(),
        "reader": record.reader,
        "atr": record.atr,
        "card_id": record.card_id,
        "smartcard": record.smartcard,
        "request": record.request,
        "authority": record.authority,
        "pin_source": record.pin_source,
        "stopped_at": record.stopped_at,
    })
}
