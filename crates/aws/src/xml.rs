//! What the query protocol answers with. AWS writes it without attributes below its root, so that
//! looking for elements by name is enough.

/// What stands in the first element of a name, as it stands there.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(value, _)| value)
}

/// What stands in each element of a name that does not hold others of that name.
pub(crate) fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = xml;
    while let Some((_, behind)) = rest.split_once(&begin) {
        let Some((inner, after)) = behind.split_once(&end) else { break };
        found.push(inner);
        rest = after;
    }
    found
}

/// The text of an element that stands in this one itself, not deeper; none where there is no such.
pub(crate) fn child(xml: &str, name: &str) -> Option<String> {
    let mut depth = 0_usize;
    let mut rest = xml;
    while let Some((_, behind)) = rest.split_once('<') {
        let (tag, after) = behind.split_once('>')?;
        if let Some(ended) = tag.strip_prefix('/') {
            // What is not of this element any more.
            depth = depth.checked_sub(1).filter(|_| !ended.is_empty())?;
        } else if !tag.ends_with('/') {
            if depth == 0 && tag == name {
                return after.split_once("</").map(|(inner, _)| plain(inner));
            }
            depth += 1;
        }
        rest = after;
    }
    None
}

/// What stands in each element of a name that stands in this one itself, whatever is in it.
pub(crate) fn children<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (mut found, mut depth, mut begin) = (Vec::new(), 0_usize, None);
    let mut at = 0;
    while let Some(open) = xml[at..].find('<').map(|it| at + it) {
        let Some(close) = xml[open..].find('>').map(|it| open + it) else { break };
        let tag = &xml[open + 1..close];
        if tag.starts_with('/') {
            let Some(less) = depth.checked_sub(1) else { break };
            depth = less;
            if let (0, Some(begin)) = (depth, begin.take_if(|_| depth == 0)) {
                found.push(&xml[begin..open]);
            }
        } else if !tag.ends_with('/') {
            if depth == 0 && tag == name {
                begin = Some(close + 1);
            }
            depth += 1;
        }
        at = close + 1;
    }
    found
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
        assert_eq!((elements(xml, "N").len(), elements("<I>half", "I").len()), (2, 0));
        let nested = "<m><A>1</A><L><m>x</m></L></m><m><B/><A>2</A></m>";
        let own: Vec<_> = children(nested, "m").into_iter().map(|it| child(it, "A")).collect();
        assert_eq!(own, [Some("1".to_owned()), Some("2".to_owned())]);
        let xml_of = "<L><N>deep</N></L><E/><N>own</N>";
        assert_eq!(child(xml_of, "N").as_deref(), Some("own"));
        assert_eq!(child(xml_of, "M"), None);
        assert_eq!((text(xml, "E"), element("<I>half", "I")), (None, None));
    }
}
