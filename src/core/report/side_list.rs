//! The agent's list of customers in few words, for the list in a wide terminal.

use super::Listed;
use super::listed::{EXCERPT_LETTERS, Elapsed, excerpt};
use super::overview::PROMPT_STEP;

/// The lines for these customers. `more` says how many others there are.
pub fn in_brief(listed: &[Listed], more: usize) -> Vec<String> {
    let mut lines: Vec<String> = listed.iter().map(brief).collect();
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines
}

fn brief(listed: &Listed) -> String {
    // Times are rounded to steps, because each new text draws the list again.
    let time = |time: std::time::Duration| {
        let steps = time.as_secs() / PROMPT_STEP.as_secs();
        Elapsed(PROMPT_STEP * u32::try_from(steps).unwrap_or(u32::MAX)).to_string()
    };
    let (mark, parts) = match listed {
        Listed::Nobody | Listed::NobodyBlocked | Listed::Blocked { .. } | Listed::Agent(_) => {
            return listed.to_string();
        }
        Listed::Talking {
            who,
            agent,
            is_offered,
            has_focus,
            is_connected,
            is_typing,
            draft,
            is_on_hold,
            unanswered,
            is_answered,
            last,
            ..
        } => {
            let new = unanswered.map(|(lines, since)| format!("{lines} new, {}", time(since)));
            let mark = if *has_focus { "▸ " } else { "  " };
            let parts = [
                Some(who.clone()),
                is_offered.then(|| "offered to you".to_owned()),
                agent.as_ref().map(|agent| format!("with {agent}")),
                (!is_connected).then(|| "offline".to_owned()),
                is_on_hold.then(|| "on hold".to_owned()),
                is_typing.then(|| "typing".to_owned()),
                (!is_answered && new.is_none()).then(|| "heard nothing yet".to_owned()),
                new,
                last.as_ref().map(|last| format!("\"{}\"", excerpt(last, EXCERPT_LETTERS))),
                draft.as_ref().map(|draft| format!("types \"{draft}\"")),
            ];
            (mark, parts.to_vec())
        }
        Listed::Waiting {
            who,
            agent,
            is_offered,
            is_connected,
            waited,
            need,
            reason,
            last,
            ..
        } => {
            let parts = [
                Some(who.clone()),
                Some(format!("waits {}", time(*waited))),
                agent.as_ref().map(|agent| format!("{agent} accepts")),
                is_offered.then(|| "offered to you".to_owned()),
                (!is_connected).then(|| "offline".to_owned()),
                need.department.as_ref().map(ToString::to_string),
                reason.as_ref().map(|reason| excerpt(reason, EXCERPT_LETTERS)),
                last.as_ref().map(|last| format!("\"{}\"", excerpt(last, EXCERPT_LETTERS))),
            ];
            ("  ", parts.to_vec())
        }
    };
    format!("{mark}{}", parts.into_iter().flatten().collect::<Vec<_>>().join(" · "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Listed, in_brief};
    use crate::core::department::{Department, Need};

    #[test]
    fn a_brief_line_shows_the_focus_a_rounded_time_and_the_last_words() {
        let talking = |has_focus, agent: Option<&str>| Listed::Talking {
            who: "#3 Cleo".to_owned(),
            agent: agent.map(str::to_owned),
            is_offered: false,
            has_focus,
            is_connected: false,
            is_typing: true,
            draft: None,
            is_on_hold: false,
            readers: Vec::new(),
            need: Need::default(),
            unanswered: Some((4, Duration::from_secs(139))),
            is_answered: true,
            last: Some("bo@example.com".to_owned()),
            tags: Vec::new(),
        };
        let waiting = Listed::Waiting {
            who: "#5 Dan".to_owned(),
            agent: None,
            is_offered: false,
            position: Some(1),
            is_connected: true,
            waited: Duration::from_secs(49),
            need: Need { department: Department::new("returns"), language: None },
            is_unattended: false,
            reason: Some("lost parcel".to_owned()),
            last: None,
            tags: Vec::new(),
        };
        assert_eq!(
            in_brief(&[talking(true, None), waiting, talking(false, Some("al"))], 7),
            [
                "▸ #3 Cleo · offline · typing · 4 new, 2:10 · \"bo@example.com\"",
                "  #5 Dan · waits 0:40 · returns · lost parcel",
                "  #3 Cleo · with al · offline · typing · 4 new, 2:10 · \"bo@example.com\"",
                "  and 7 more",
            ]
        );
        assert_eq!(in_brief(&[Listed::Nobody], 0), ["nobody is talking, nobody is waiting"]);
    }
}
