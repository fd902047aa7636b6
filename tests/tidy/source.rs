//! Rust source with what is no code blanked out: comments, text in quotes, and modules that only tests see.
//!
//! Line numbers stay as they are, so that a finding names its place.

/// `text` with comments and the insides of string and character literals replaced by blanks.
pub fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let end = match chars[i] {
            '/' if chars.get(i + 1) == Some(&'/') => line_end(&chars, i),
            '/' if chars.get(i + 1) == Some(&'*') => comment_end(&chars, i),
            '"' => string_end(&chars, i),
            'r' if !in_word(&chars, i) => raw_string_end(&chars, i).unwrap_or(i),
            'b' if !in_word(&chars, i) && chars.get(i + 1) == Some(&'r') => raw_string_end(&chars, i + 1).unwrap_or(i),
            '\'' => char_end(&chars, i).unwrap_or(i),
            _ => i,
        };
        if end == i {
            out.push(chars[i]);
            i += 1;
        } else {
            out.extend(chars[i..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            i = end;
        }
    }
    out
}

/// [`code`] without the items that stand under `#[cfg(test)]`.
pub fn shipped(text: &str) -> String {
    let mut code = code(text);
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        let end = item_end(&code, start + "#[cfg(test)]".len());
        let blank: String = code[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        code.replace_range(start..end, &blank);
        from = start + blank.len();
    }
    code
}

/// Whether a file is read by tests only.
pub fn is_test_file(path: &str) -> bool {
    let part = |name: &str| path.starts_with(&format!("{name}/")) || path.contains(&format!("/{name}/"));
    part("tests")
        || part("benches")
        || part("fuzz")
        || part("examples")
        || path.starts_with("crates/testkit/")
        || path.ends_with("/tests.rs")
}

/// Lines of `code` that hold `word` as a word of its own, numbered from 1. A word may contain `::`, `.` or a blank.
pub fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let wordy = |c: char| c.is_alphanumeric() || c == '_';
    let (head, tail) = (word.starts_with(wordy), word.ends_with(wordy));
    let stands_alone = |line: &str, at: usize| {
        let before = line[..at].chars().next_back().is_some_and(wordy);
        let after = line[at + word.len()..].chars().next().is_some_and(wordy);
        !(head && before || tail && after)
    };
    code.lines()
        .enumerate()
        .filter(|(_, line)| line.match_indices(word).any(|(at, _)| stands_alone(line, at)))
        .map(|(n, _)| n + 1)
        .collect()
}

/// The end of the item that begins after an attribute: its closing brace, or a semicolon before any brace.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code[from..].char_indices() {
        match c {
            ';' if depth == 0 => return from + at + 1,
            '{' => depth += 1,
            '}' if depth <= 1 => return from + at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

fn in_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn line_end(chars: &[char], from: usize) -> usize {
    chars[from..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| from + n)
}

fn comment_end(chars: &[char], from: usize) -> usize {
    let (mut i, mut depth) = (from, 0_usize);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) if depth == 1 => return i + 2,
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut i = from + 1;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

/// From the `r` of `r"…"` or `r#"…"#`.
fn raw_string_end(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars[from + 1..].iter().take_while(|c| **c == '#').count();
    let open = from + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |at: &usize| chars[*at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    Some((open + 1..chars.len()).find(closes).map_or(chars.len(), |at| at + 1 + hashes))
}

/// From the quote of a character; a lifetime has no end.
fn char_end(chars: &[char], from: usize) -> Option<usize> {
    if chars.get(from + 1) == Some(&'\\') {
        return chars[from + 3..].iter().position(|c| *c == '\'').map(|n| from + 4 + n);
    }
    (chars.get(from + 2) == Some(&'\'')).then_some(from + 3)
}
