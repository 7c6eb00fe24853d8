//! What summaries look like, and what harms nobody.

use expect_test::{Expect, expect};

use super::html;

fn check(text: &str, expected: Expect) {
    let made = html(text);
    assert!(!made.is_cut);
    expected.assert_eq(&made.html);
}

#[test]
fn markdown_is_read_as_github_reads_it() {
    check(
        "# Tests\n\n**42** passed, ~~1~~ *0* failed in `3.1 s`\n\n- [x] unit\n- [ ] browser\n\n3. three\n4. four\n",
        expect![[r#"
            <h4>Tests</h4>
            <p><strong>42</strong> passed, <del>1</del> <em>0</em> failed in <code>3.1 s</code></p>
            <ul>
            <li>☑ unit</li>
            <li>☐ browser</li>
            </ul>
            <ol start="3">
            <li>three</li>
            <li>four</li>
            </ol>
        "#]],
    );
    check(
        "| File | Lines |\n|---|--:|\n| a\\|b | 3 |\n| c |\n",
        expect![[r#"
        <div class="wide compares" tabindex="0" role="group" aria-label="A table"><table><thead><tr><th scope="col">File</th><th scope="col">Lines</th></tr></thead>
        <tr><td>a|b</td><td>3</td></tr>
        <tr><td>c</td><td></td></tr>
        </table></div>"#]],
    );
    check(
        "```js\nif (a < b && c) \"x\"\n```\n\n> [!WARNING]\n> slow\n\n---\na  \nb",
        expect![[r#"
            <pre tabindex="0"><code>if (a &lt; b &amp;&amp; c) &quot;x&quot;
            </code></pre>
            <blockquote>
            <p><strong>Warning</strong></p>
            <p>slow</p>
            </blockquote>
            <hr>
            <p>a<br>
            b</p>
        "#]],
    );
    check(
        "[page](https://example.com \"t\") <https://example.org> [own](/runs/1.1)",
        expect![[r#"
            <p><a href="https://example.com" rel="nofollow noopener noreferrer">page</a> <a href="https://example.org" rel="nofollow noopener noreferrer">https://example.org</a> <a href="/runs/1.1" rel="nofollow noopener noreferrer">own</a></p>
        "#]],
    );
}

#[test]
fn the_tags_that_githubs_toolkit_writes_are_tags() {
    check(
        "<h1>Tests</h1>\n<table><tr><th>File</th><th colspan=\"2\">Result</th></tr><tr><td>a.js</td><td>Pass &amp; done</td></tr></table>\n<details><summary>More</summary>Some detail!</details>\n<ul><li>one<li>two</ul><ol><li>x</li></ol>\n<blockquote cite=\"x\">said</blockquote><pre lang=\"js\"><code>a &lt; b</code></pre><hr><a href=\"https://example.com?a=1&amp;b=2\">there</a><br>\n",
        expect![[r#"
            <h4>Tests</h4>
            <div class="wide compares" tabindex="0" role="group" aria-label="A table"><table><tr><th>File</th><th colspan="2">Result</th></tr><tr><td>a.js</td><td>Pass &amp; done</td></tr></table></div>
            <details><summary>More</summary>Some detail!</details>
            <ul><li>one</li><li>two</li></ul><ol><li>x</li></ol>
            <blockquote>said</blockquote><pre tabindex="0"><code>a &lt; b</code></pre><hr><a href="https://example.com?a=1&amp;b=2" rel="nofollow noopener noreferrer">there</a><br>
        "#]],
    );
    check(
        "<details open>\n<summary>Log</summary>\n\n```\nx\n```\n\n**b**\n\n</details>\n\nbehind",
        expect![[r#"
            <details open>
            <summary>Log</summary>
            <pre tabindex="0"><code>x
            </code></pre>
            <p><strong>b</strong></p>
            </details>
            <p>behind</p>
        "#]],
    );
    check(
        "<p align=\"center\">\n  <img width=\"9\" src=\"https://example.com/a.png\" alt=\"a <b>\">\n</p>",
        expect![[r#"
            <p>
              <a href="https://example.com/a.png" rel="nofollow noopener noreferrer">image: a &lt;b&gt;</a>
            </p>"#]],
    );
    check(
        "Press <kbd>Ctrl</kbd><!-- not seen -->, H<sub>2</sub>O",
        expect![[r#"
        <p>Press <kbd>Ctrl</kbd>, H<sub>2</sub>O</p>
    "#]],
    );
}

#[test]
fn nothing_runs_and_nothing_is_fetched() {
    check(
        "<script>alert(1)</script>\n\n<b onclick=\"alert(1)\" class=\"notice\" style=\"position:fixed\">x</b>",
        expect![[r#"
            &lt;script&gt;alert(1)&lt;/script&gt;
            <p><b>x</b></p>
        "#]],
    );
    check(
        "[a](javascript:alert(1)) <a href=\" java\nscript:x\">b</a> <a href='&#106;avascript:x'>c</a> [d](data:text/html,x)",
        expect![[r#"
            <p>a b c d</p>
        "#]],
    );
    check(
        "![chart](https://example.com/a.svg) [![badge](https://example.com/b.svg)](https://example.com)",
        expect![[r#"
            <p><a href="https://example.com/a.svg" rel="nofollow noopener noreferrer">image: chart</a> <a href="https://example.com" rel="nofollow noopener noreferrer">image: badge</a></p>
        "#]],
    );
    check(
        "<iframe src=\"https://example.com\"></iframe><svg/onload=alert(1)><style>*{}</style><form action=x><input></form>",
        expect![
            "&lt;iframe src=&quot;https://example.com&quot;&gt;&lt;/iframe&gt;&lt;svg/onload=alert(1)&gt;&lt;style&gt;*{}&lt;/style&gt;&lt;form action=x&gt;&lt;input&gt;&lt;/form&gt;"
        ],
    );
    check(
        "<a href=\"https://example.com/&quot;onmouseover=alert(1)//\">x</a> `<b>` &lt;b&gt; \\<b>",
        expect![[r#"
            <p><a href="https://example.com/&amp;quot;onmouseover=alert(1)//" rel="nofollow noopener noreferrer">x</a> <code>&lt;b&gt;</code> &lt;b&gt; &lt;b&gt;</p>
        "#]],
    );
}

#[test]
fn a_text_stays_where_it_is_put() {
    check(
        "</div></section></main>\n\n<div><b>x\n\nbehind",
        expect![[r#"
        &lt;/section&gt;&lt;/main&gt;
        <div><b>x
        <p>behind</p>
        </b></div>"#]],
    );
    check(
        "- a <b>x\n- b</li></ul> c",
        expect![[r#"
        <ul>
        <li>a <b>x</b></li>
        <li>b c</li>
        </ul>
    "#]],
    );
    check(
        "<li>alone</li><tr><td>alone</td></tr><summary>alone</summary>",
        expect!["&lt;li&gt;alone&lt;tr&gt;&lt;td&gt;alone&lt;summary&gt;alone"],
    );
    check(
        "<table><table><tr><div>x</div></tr></table></table>",
        expect![[
            r#"<div class="wide compares" tabindex="0" role="group" aria-label="A table"><table>&lt;table&gt;<tr>&lt;div&gt;x</tr></table></div>"#
        ]],
    );
    check(
        "<table>\n\n| a |\n|---|\n| b |\n\n</table>",
        expect![[r#"
        <div class="wide compares" tabindex="0" role="group" aria-label="A table"><table>
        </table></div><div class="wide compares" tabindex="0" role="group" aria-label="A table"><table><thead><tr><th scope="col">a</th></tr></thead>
        <tr><td>b</td></tr>
        </table></div>"#]],
    );
    check(
        "<b><i>x</b></i>",
        expect![[r#"
        <p><b><i>x</i></b></p>
    "#]],
    );
    check(
        &format!("{}x", "<div>".repeat(70)),
        expect![
            "<div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div><div>x</div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div></div>"
        ],
    );
}

#[test]
fn no_entity_turns_text_around() {
    check(
        "<p>setup&#x202e;gnp.exe &#8294;a &rlm;b &lrm;c &#65;&amp;&uuml;&#xe4; &#x110000;</p>",
        expect![
            "<p>setup&amp;#x202e;gnp.exe &amp;#8294;a &amp;rlm;b &amp;lrm;c &#65;&amp;&uuml;&#xe4; &amp;#x110000;</p>"
        ],
    );
}

#[test]
fn a_text_ends_somewhere() {
    let long = html(&"<b>x</b>\n".repeat(400_000));
    assert!(long.is_cut && long.html.len() < super::HTML_BYTES_MAX + (4 << 20));
    // What would be cells without end, and links to one long address.
    let columns = "|a".repeat(5_000);
    let table = format!("{columns}\n{}\n{}", "|-".repeat(5_000), "|\n".repeat(20_000));
    assert!(html(&table).html.len() < 8 << 20);
    let links =
        format!("[a]: https://example.com/{}\n\n{}", "x".repeat(1_900), "[a] ".repeat(30_000));
    assert!(html(&links).html.len() < 8 << 20);
    // Nothing here takes longer than the text is long, twice over.
    for text in ["<a \"", "<!--", "[![", "> - ", "<div>", "&amp", "`", "*_", "</p>"] {
        html(&text.repeat(20_000));
    }
    for (opens, then) in
        [("<u>", "<li>"), ("<b>", "</i>"), ("<div>", "<a href=x>"), (">", "[a](b)")]
    {
        html(&format!("<div>{}{}", opens.repeat(20_000), then.repeat(20_000)));
        html(&format!("{}{}", opens.repeat(20_000), then.repeat(20_000)));
    }
}
