//! Seals values as they are sealed for GitHub, for `contract/open.py`, which has libsodium open them: a key and
//! values as JSON on standard input, boxes on standard output.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use forge::SealingKey;
use mask::Secret;
use serde_json::Value as Json;

fn main() {
    let asked: Json = serde_json::from_reader(std::io::stdin()).expect("JSON");
    let key = SealingKey::read(&asked["key"]).expect("a key");
    let values = asked["values"].as_array().expect("a list").iter();
    let seal = |it: &Json| key.seal(&Secret::new(it.as_str().expect("text"))).expect("a box");
    let boxes: Vec<String> = values.map(seal).collect();
    println!("{}", Json::from(boxes));
}
