//! Where the card ID is: the commands that read it, and its bytes in the answer.

use super::commands;
use crate::apdu::tlv;
use crate::card::error::CardError;
use crate::card::id::{CardId, IdError};
use crate::card::profile::{CardIdPlace, HexBytes, ID_LENGTH};
use crate::card::step::StepCommand;

/// What READ BINARY asks for where the whole file is wanted.
const WHOLE: usize = 256;

/// The commands that read the card ID. The last one alone reads it again: the file that was selected stays the current one.
pub(super) fn read_commands(place: &CardIdPlace) -> Vec<StepCommand> {
    let step = |name, command| StepCommand { name, purpose: "confirm the card ID", command };
    let select = match (&place.file, &place.path, &place.data_object) {
        (Some(file), ..) => commands::select_file(&file.0, place.select_with_answer),
        (None, Some(path), _) => commands::select_path(&path.0, place.select_with_answer),
        (None, None, Some(tag)) => return vec![step("GET DATA card ID", commands::get_data(&tag.0))],
        (None, None, None) => return Vec::new(),
    };
    let read = if place.tags.is_empty() {
        commands::read_binary(place.offset.unwrap_or(0), place.length.unwrap_or(ID_LENGTH))
    } else {
        commands::read_binary(0, WHOLE)
    };
    vec![step("SELECT card ID file", select), step("READ BINARY card ID", read)]
}

/// Finds the ID in an answer.
///
/// # Errors
/// Not BER-TLV, not there, or of another length: an ID is never cut to fit.
pub(super) fn find(place: &CardIdPlace, answer: &[u8]) -> Result<CardId, CardError> {
    let found = value_of(place, answer)?;
    let length = place.length.unwrap_or(ID_LENGTH);
    let read_in_place = place.data_object.is_none() && place.tags.is_empty();
    let bytes = match place.offset {
        Some(offset) if !read_in_place => found
            .get(offset..offset + length)
            .ok_or(CardError::Incomplete { object: "card ID object", missing: "ID at its offset" })?,
        _ if found.len() != length => return Err(IdError::Length(found.len()).into()),
        _ => found,
    };
    let sixteen: Vec<u8> = bytes.iter().copied().cycle().take(if bytes.is_empty() { 0 } else { ID_LENGTH }).collect();
    Ok(CardId::new(&sixteen, place.order)?)
}

fn value_of<'a>(place: &CardIdPlace, answer: &'a [u8]) -> Result<&'a [u8], CardError> {
    let object = "card ID object";
    let Some((first, rest)) = place.tags.split_first() else {
        // Some cards give the whole data object, most its value.
        let length = place.length.unwrap_or(ID_LENGTH);
        let tag = place.data_object.as_ref().filter(|_| place.offset.is_none() && answer.len() > length);
        let wrapped = tag.and_then(|tag| tlv::find(answer, number(tag)).ok().flatten());
        return Ok(wrapped.unwrap_or(answer));
    };
    let malformed = |source| CardError::Malformed { object, source };
    let missing = CardError::Incomplete { object, missing: "object of the given tag" };
    let outer = if place.data_object.is_some() { tlv::find } else { tlv::find_first };
    let Some(mut value) = outer(answer, number(first)).map_err(malformed)? else { return Err(missing) };
    for tag in rest {
        let Some(next) = tlv::find(value, number(tag)).map_err(malformed)? else { return Err(missing) };
        value = next;
    }
    Ok(value)
}

fn number(tag: &HexBytes) -> u32 {
    tag.0.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Protocol;

    const ID: &str = "3FF188BCBA8337408262";
    const REST: &str = "46EBA1291C6E";

    fn place(keys: &str) -> CardIdPlace {
        toml::from_str(&format!("order = \"raw\"\n{keys}")).unwrap()
    }

    fn sent(keys: &str) -> Vec<String> {
        let commands = read_commands(&place(keys));
        commands
            .iter()
            .flat_map(|step| step.command.frames(Protocol::T1, false))
            .map(|frame| frame.to_string())
            .collect()
    }

    fn found(keys: &str, answer: &str) -> Result<String, CardError> {
        let answer = answer.replace("[ID]", &format!("{ID}{REST}"));
        find(&place(keys), &hex::decode(answer).unwrap()).map(|id| id.raw_hex().to_uppercase())
    }

    #[test]
    fn the_commands_are_those_of_the_standard() {
        assert_eq!(sent("file = \"0201\""), ["00A4000C020201", "00B0000010"]);
        assert_eq!(
            sent("file = \"0201\"\nselect_with_answer = true"),
            ["00A400000202 0100".replace(' ', ""), "00B0000010".into()]
        );
        assert_eq!(sent("path = \"3F00 5015 4401\""), ["00A4080C0450154401", "00B0000010"]);
        assert_eq!(sent("path = \"5015 4401\""), ["00A4090C0450154401", "00B0000010"]);
        assert_eq!(sent("file = \"0201\"\noffset = 4660\nlength = 16"), ["00A4000C020201", "00B0123410"]);
        assert_eq!(sent("file = \"2F02\"\ntags = [\"5A\"]\noffset = 2\nlength = 16"), ["00A4000C022F02", "00B0000000"]);
        assert_eq!(sent("data_object = \"0101\""), ["00CA010100"]);
        assert_eq!(sent("data_object = \"5F\""), ["00CA005F00"]);
        assert_eq!(sent("data_object = \"5FC102\""), ["00CB3FFF055C035FC10200"]);
    }

    #[test]
    fn the_id_is_found_where_the_profile_says() {
        let whole = format!("{ID}{REST}");
        for (keys, answer) in [
            ("file = \"0201\"", "[ID]"),
            ("file = \"0201\"\noffset = 7\nlength = 16", "[ID]"),
            ("data_object = \"0101\"", "[ID]"),
            ("data_object = \"5F2A\"", "5F2A10[ID]"),
            ("data_object = \"5FC102\"\ntags = [\"53\", \"34\"]", "531530013034 10[ID]"),
            ("data_object = \"0101\"\noffset = 3\nlength = 16", "AABBCC[ID]DD"),
            ("file = \"2F02\"\ntags = [\"5A\"]\noffset = 2\nlength = 16", "5A12AABB[ID]FFFFFF"),
        ] {
            assert_eq!(found(keys, &answer.replace(' ', "")).unwrap(), whole, "{keys}");
        }
        let serial = "file = \"0201\"\nlength = 6\nrepeat = true";
        assert_eq!(found(serial, "000601020304").unwrap(), "00060102030400060102030400060102");
    }

    #[test]
    fn an_answer_of_another_shape_is_no_id() {
        for (keys, answer, message) in [
            ("file = \"0201\"", "", "has 0 bytes"),
            ("file = \"0201\"", "[ID]00", "has 17 bytes"),
            ("file = \"0201\"\noffset = 7\nlength = 16", "[ID]00", "has 17 bytes"),
            ("data_object = \"0101\"", "0102", "has 2 bytes"),
            ("data_object = \"5F2A\"", "5F2A12[ID]AABB", "has 18 bytes"),
            ("data_object = \"5F2A\"", "5F2A40[ID]", "has 19 bytes"),
            ("data_object = \"5FC102\"\ntags = [\"53\", \"34\"]", "5312341 1[ID]", "not well-formed"),
            ("data_object = \"5FC102\"\ntags = [\"53\", \"34\"]", "538034 10[ID]", "not well-formed"),
            ("data_object = \"5FC102\"\ntags = [\"53\", \"34\"]", "5312351 0[ID]", "no object of the given tag"),
            ("data_object = \"5FC102\"\ntags = [\"53\", \"34\"]", "", "no object of the given tag"),
            ("data_object = \"0101\"\noffset = 3\nlength = 16", "[ID]", "no ID at its offset"),
            ("file = \"2F02\"\ntags = [\"5A\"]", "5A10AABB", "not well-formed"),
            ("file = \"0201\"\nlength = 6\nrepeat = true", "", "has 0 bytes"),
        ] {
            let error = found(keys, &answer.replace(' ', "")).unwrap_err();
            let mut text = error.to_string();
            if let Some(source) = std::error::Error::source(&error) {
                text = format!("{text}: {source}");
            }
            assert!(text.contains(message), "{keys}, {answer}: {text}");
        }
        assert!(matches!(found("file = \"0201\"", &"00".repeat(16)), Err(CardError::UnusableId(IdError::Zero))));
    }
}
