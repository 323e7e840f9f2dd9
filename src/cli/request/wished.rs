//! What a person gives for a request that is to be made, beside its template.

use clap::Args;
use thiserror::Error;
use uuid::Uuid;

/// What a person gives for a request of their own or of another user.
#[derive(Debug, Clone, Default, Args)]
pub struct Wished {
    /// Items and comment.
    #[command(flatten)]
    pub given: Given,
    /// For whom the card is: another user, by id. Else for the caller.
    #[arg(long, value_name = "UUID")]
    pub target: Option<Uuid>,
}

/// Items and comment of a request.
#[derive(Debug, Clone, Default, Args)]
pub struct Given {
    /// An item that the template collects, and its value. Once for each item; what is missing is asked for on a terminal.
    #[arg(long, value_name = "NAME=VALUE", value_parser = item)]
    pub data: Vec<(String, String)>,
    /// A comment, where the template takes one.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub comment: String,
}

/// What was given is no item.
#[derive(Debug, Error)]
#[error("an item is its name, `=`, and its value")]
struct NoItem;

fn item(text: &str) -> Result<(String, String), NoItem> {
    let (name, value) = text.split_once('=').ok_or(NoItem)?;
    let name = name.trim();
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned())).ok_or(NoItem)
}
