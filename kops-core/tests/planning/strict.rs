//! The repository's schemas, with members rejected that they do not name: readers ignore those, but none may be
//! written.

use jsonschema::Validator;
use serde_json::Value;

/// The validator of a schema that accepts no other members.
pub(crate) fn validator(schema: &str) -> Validator {
    let mut schema: Value = serde_json::from_str(schema).unwrap();
    close(&mut schema);
    jsonschema::draft202012::new(&schema).unwrap()
}

fn close(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.get("type").is_some_and(|it| it == "object")
                && !members.contains_key("additionalProperties")
            {
                // A branch describes some members of this object: only the whole knows all of them.
                let branches = members.get_mut("oneOf").and_then(Value::as_array_mut);
                for branch in branches.into_iter().flatten().filter_map(Value::as_object_mut) {
                    branch.remove("unevaluatedProperties");
                }
                members.insert("unevaluatedProperties".to_owned(), false.into());
            }
        }
        _ => {}
    }
}
