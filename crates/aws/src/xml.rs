//! What the query protocol answers with. AWS writes it without attributes below its root, so that
//! looking for elements by name is enough.

/// What stands in the first element of a name, as it stands there.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(value, _)| value)
}

/// The text of the first element of a name; none where there is no such element.
pub(crate) fn text(xml: &str, name: &str) -> Option<String> {
    element(xml, name).map(plain)
}

/// A text without what XML writes for marks.
fn plain(text: &str) -> String {
    let marks = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'")];
    let mut out = text.to_owned();
    for (written, mark) in marks {
        out = out.replace(written, mark);
    }
    // Last: `&amp;lt;` is `&lt;`.
    out.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_name() {
        let xml = "<A xmlns=\"x\"><N>a &amp;lt; b</N><N>c</N><E/></A>";
        assert_eq!(text(xml, "N").as_deref(), Some("a &lt; b"));
        assert_eq!((text(xml, "E"), element("<I>half", "I")), (None, None));
    }
}
