//! What the terminal can show.

use super::arguments::Color;
use crate::diagnostic::Style;
use std::env;
use std::io::{self, IsTerminal};

/// The width if neither the user nor a terminal sets it.
const COLUMNS: usize = 100;

/// How diagnostics are drawn on standard error.
pub fn style(color: Color) -> Style {
    let terminal = io::stderr().is_terminal();
    let columns = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let measured = || terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| usize::from(width.0));
    Style {
        color: match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => wants_color(terminal, &variable),
        },
        unicode: terminal && !is_dumb(&variable) && has_unicode(&variable),
        width: columns.or_else(measured).filter(|&width| width > 0).unwrap_or(COLUMNS),
    }
}

/// Whether lines can be redrawn, as a progress bar needs.
pub fn is_animated() -> bool {
    io::stderr().is_terminal() && !is_dumb(&variable)
}

/// An environment variable, if it is set and not empty.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

type Variables<'v> = dyn Fn(&str) -> Option<String> + 'v;

fn is_dumb(variables: &Variables) -> bool {
    variables("TERM").is_some_and(|term| term == "dumb")
}

/// Whether the environment enables colors (<https://no-color.org>, <https://force-color.org>, <https://bixense.com/clicolors>).
fn wants_color(terminal: bool, variables: &Variables) -> bool {
    let forces = |name: &str| variables(name).is_some_and(|value| value != "0");
    if variables("NO_COLOR").is_some() {
        return false;
    }
    if forces("FORCE_COLOR") || forces("CLICOLOR_FORCE") {
        return true;
    }
    let refused =
        ["FORCE_COLOR", "CLICOLOR"].iter().any(|name| variables(name).is_some_and(|value| value == "0"));
    terminal && !refused && !is_dumb(variables)
}

/// Whether the locale has characters beyond ASCII. Windows does not set the locale in the environment.
fn has_unicode(variables: &Variables) -> bool {
    match ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variables(name)) {
        Some(locale) => {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        }
        None => cfg!(windows),
    }
}

#[cfg(test)]
mod tests {
    use super::{has_unicode, wants_color};

    /// Variables as `NAME=VALUE`, separated by spaces.
    fn set(text: &str) -> impl Fn(&str) -> Option<String> {
        move |name| {
            let values = text.split(' ').filter_map(|pair| pair.split_once('='));
            values
                .filter(|(key, value)| *key == name && !value.is_empty())
                .map(|(_, value)| value.to_owned())
                .next()
        }
    }

    #[test]
    fn colors_follow_the_environment() {
        for (variables, piped, shown) in [
            ("", false, true),
            ("TERM=xterm", false, true),
            ("TERM=dumb", false, false),
            ("NO_COLOR=1", false, false),
            ("NO_COLOR=1 FORCE_COLOR=1", false, false),
            ("NO_COLOR=", false, true),
            ("FORCE_COLOR=1", true, true),
            ("FORCE_COLOR=1 TERM=dumb", true, true),
            ("FORCE_COLOR=0", false, false),
            ("CLICOLOR=0", false, false),
            ("CLICOLOR=1", false, true),
            ("CLICOLOR_FORCE=1 CLICOLOR=0", true, true),
            ("CLICOLOR_FORCE=0", false, true),
        ] {
            assert_eq!(wants_color(false, &set(variables)), piped, "{variables}");
            assert_eq!(wants_color(true, &set(variables)), shown, "{variables}");
        }
    }

    #[test]
    fn characters_follow_the_locale() {
        for (variables, unicode) in [
            ("LANG=en_US.UTF-8", true),
            ("LANG=de_DE.utf8", true),
            ("LANG=C", false),
            ("LC_ALL=C LANG=en_US.UTF-8", false),
            ("LC_CTYPE=C.UTF-8 LANG=C", true),
            ("LC_ALL= LANG=en_US.UTF-8", true),
            ("LANG=de_DE.ISO-8859-1", false),
        ] {
            assert_eq!(has_unicode(&set(variables)), unicode, "{variables}");
        }
    }
}
