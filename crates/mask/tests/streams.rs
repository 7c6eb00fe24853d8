//! A log in pieces is masked as if it had come at once.

use mask::{Masker, StreamMasker};

fn masker(secrets: &[&str]) -> Masker {
    let mut masker = Masker::new();
    for secret in secrets {
        masker.add(secret);
    }
    masker
}

fn stream<'a>(masker: &Masker, chunks: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut stream = StreamMasker::new();
    let mut out = Vec::new();
    for chunk in chunks {
        stream.push(masker, chunk, &mut out);
    }
    stream.finish(masker, &mut out);
    String::from_utf8(out).expect("text in, text out")
}

/// The definition, without any cleverness: every byte that belongs to an occurrence of a value is
/// hidden, and a row of hidden bytes shows as one `***`.
fn by_definition(values: &[&str], text: &str) -> String {
    let mut hidden = vec![false; text.len() + 1];
    for value in values {
        for start in 0..text.len() {
            if text.as_bytes()[start..].starts_with(value.as_bytes()) {
                hidden[start..start + value.len()].fill(true);
            }
        }
    }
    let mut shown = String::new();
    for (at, letter) in text.bytes().enumerate() {
        if !hidden[at] {
            shown.push(char::from(letter));
        } else if at == 0 || !hidden[at - 1] {
            shown.push_str("***");
        }
    }
    shown
}

/// Small numbers in no order, the same every time.
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("below a usize")
    }
}

// proves: conformance 189, 191
#[test]
fn c189_every_cut_of_a_log_gives_the_same() {
    let masker = masker(&["hunter", "hunter2hunter", "2hunt", "teapot-kettle", "kettle-saucer"]);
    let text =
        "hunter2hunter2 teapot-kettle-saucer\nhunt\ner teapot-kett hunterteapot-kettlehunter";
    let whole = stream(&masker, [text.as_bytes()]);
    assert_eq!(whole, "***2 ***\nhunt\ner teapot-kett ***");
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let (rest, third) = text.as_bytes().split_at(second);
            let (start, middle) = rest.split_at(first);
            assert_eq!(stream(&masker, [start, middle, third]), whole, "{first} {second}");
        }
    }
    assert_eq!(stream(&masker, text.as_bytes().chunks(1)), whole);
}

// proves: conformance 189
#[test]
fn c189_random_logs_are_masked_by_the_definition() {
    // An alphabet of two letters makes overlaps common. Its base64 and hex forms never occur.
    let values = ["aababb", "abab", "bbbbbbb", "abbaabbaabba", "babbab"];
    let masker = masker(&values);
    for seed in 1..400 {
        let mut number = numbers(seed);
        let text: String =
            (0..number(300)).map(|_| if number(9) < 4 { 'a' } else { 'b' }).collect();
        let mut chunks = Vec::new();
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let (chunk, more) = rest.split_at(1 + number(rest.len().min(20)));
            chunks.push(chunk);
            rest = more;
        }
        let expected = by_definition(&values, &text);
        assert_eq!(masker.mask(&text).as_str(), expected, "seed {seed}: {text}");
        assert_eq!(stream(&masker, chunks), expected, "seed {seed}: {text}");
    }
}

#[test]
fn many_random_secrets_are_all_found_wherever_they_stand() {
    let mut number = numbers(7);
    let mut word = |length: usize| -> String {
        (0..length).map(|_| char::from(b"0123456789abcdefXYZ_"[number(20)])).collect()
    };
    let secrets: Vec<String> = (0..200).map(|at| word(6 + at % 70)).collect();
    let masker = masker(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
    for secret in &secrets {
        for padding in 0..20 {
            let text = format!("{}{secret}{}", "-".repeat(padding), "-".repeat(20 - padding));
            let expected = format!("{}***{}", "-".repeat(padding), "-".repeat(20 - padding));
            assert_eq!(masker.mask(&text).as_str(), expected);
        }
    }
}

#[test]
fn what_cannot_be_the_beginning_of_a_secret_shows_at_once() {
    let masker = masker(&["teapot-2024", "first line\nsecond line"]);
    let mut stream = StreamMasker::new();
    let mut shown = |chunk: &str| {
        let mut out = Vec::new();
        stream.push(&masker, chunk.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(shown("Password: "), "Password: ");
    assert_eq!(shown("tea"), "");
    assert_eq!(shown("pot-"), "");
    assert_eq!(shown("less\n"), "teapot-less\n");
    assert_eq!(shown("teapot-2024"), "***");
    assert_eq!(shown("teapot-2024 t"), " ");
    // A secret of two lines is hidden line by line: the break shows.
    assert_eq!(shown("\nfirst line\n"), "t\n***\n");
    assert_eq!(shown("second line\n"), "***\n");
}

// proves: conformance 193
#[test]
fn c193_a_secret_counts_from_when_it_is_known() {
    let mut masker = masker(&["teapot-2024"]);
    let mut stream = StreamMasker::new();
    let mut out = Vec::new();
    stream.push(&masker, b"kettle-7 kettle-", &mut out);
    masker.add("kettle-7");
    stream.push(&masker, b"7 kettle-7 teapot-2024 ket", &mut out);
    stream.push(&masker, b"tle-7\n", &mut out);
    stream.finish(&masker, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "kettle-7 kettle-7 *** *** ***\n");
}

#[test]
fn memory_stays_small_in_a_line_of_ten_million_bytes() {
    let masker = masker(&["aaaaaaaa", "teapot-2024"]);
    let mut stream = StreamMasker::new();
    let mut out = Vec::new();
    let mut most = 0;
    let mut length = 0;
    for chunk in 0..1000 {
        // One endless match, then one endless line of text.
        let byte = if chunk < 500 { b'a' } else { b'.' };
        stream.push(&masker, &[byte; 10_000], &mut out);
        most = most.max(out.len());
        length += out.len();
        out.clear();
    }
    stream.finish(&masker, &mut out);
    assert_eq!(length + out.len(), 3 + 500 * 10_000);
    assert!(most <= 10_000 + 16, "{most}");
}
