//! What a customer at a terminal reads in place of a technical sentence: the words of a shop. Pure.
//!
//! The person who set up the program finds the technical sentence in the log (`RUST_LOG=info`), in
//! `--json`, and on stderr if a script types.

use crate::core::report::{CustomerNews, Link, LinkFault, News, Report};

/// The words for a report. `None` if the report's own sentence has no technical word. An empty text
/// if the customer need not read the report. `was_lost` says whether the connection was lost
/// before.
pub(super) fn shop_words(report: &Report, was_lost: bool) -> Option<&'static str> {
    match report {
        Report::Link { parted: true, .. } => None,
        Report::Link { link: Link::Connecting, .. } => Some(""),
        Report::Link { link: Link::Connected, .. } => {
            Some(if was_lost { "connected again" } else { "" })
        }
        Report::Link { link: Link::Lost, unreached: true, .. } => {
            Some("customer care is not available at the moment; trying again")
        }
        Report::Link { link: Link::Lost, .. } => {
            Some("the connection to customer care is lost; trying again")
        }
        Report::News { text: News::Customer(news) }
        | Report::Fault { text: News::Customer(news) } => of_news(news),
        _ => None,
    }
}

fn of_news(news: &CustomerNews) -> Option<&'static str> {
    Some(match news {
        CustomerNews::LinkChosen(_)
        | CustomerNews::BotSlow
        | CustomerNews::BotSilent { may_be_paused: false }
        | CustomerNews::BotMayNotHave(_)
        | CustomerNews::AgentLeft
        | CustomerNews::AgentLeftStillActive => return None,
        CustomerNews::BotFailed(_) => {
            "the bot cannot answer at the moment; /again sends your line again, /human asks for a \
             person"
        }
        CustomerNews::BotSilent { may_be_paused: true } => {
            "the bot gave no answer; /human asks for a person"
        }
        CustomerNews::BotNotTold | CustomerNews::BotHasNoApi(_) => {
            "the bot does not know what was said without it"
        }
        CustomerNews::BotStillPaused => "the bot may not answer yet; /human asks for a person",
        CustomerNews::BotUntold(_) => "the bot does not know yet what was said without it",
        CustomerNews::BotMaybeUntold(_) => "the bot may not know yet what was said without it",
        CustomerNews::DeskLostConversation => "you are in the queue again, with all that was said",
        CustomerNews::SeekingDesk => "while you wait, /bot goes back to the bot",
        CustomerNews::UnknownEntry => {
            "customer care sent something that this program is too old to show"
        }
        CustomerNews::StartedOver => {
            "this is a new conversation; it begins with what customer care had not received"
        }
        CustomerNews::Parted { why, .. } => match why {
            LinkFault::Replaced(_) => {
                "this conversation goes on in another program; /new starts another"
            }
            LinkFault::Distrusted(_) => {
                "not connected: who answers there cannot prove to be customer care, and has got \
                 nothing from you; /human tries again"
            }
            _ => "customer care cannot be reached from here",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that a customer of a shop does not know.
    const TECHNICAL: [&str; 10] = [
        "Rasa",
        "desk",
        "http",
        ":50",
        "SHA256",
        "API",
        "TLS",
        "refused",
        "--",
        "connection refused",
    ];

    #[test]
    fn no_technical_word_reaches_the_customer() {
        let fault = || "http://rasa:5005: connection refused; is Rasa running?".to_owned();
        let parted = |why| CustomerNews::Parted { address: "desk:5000".to_owned(), why };
        let news = [
            CustomerNews::BotFailed(fault()),
            CustomerNews::BotSlow,
            CustomerNews::BotSilent { may_be_paused: true },
            CustomerNews::BotSilent { may_be_paused: false },
            CustomerNews::BotNotTold,
            CustomerNews::BotStillPaused,
            CustomerNews::BotHasNoApi(fault()),
            CustomerNews::BotUntold(fault()),
            CustomerNews::BotMaybeUntold(fault()),
            CustomerNews::AgentLeft,
            CustomerNews::AgentLeftStillActive,
            CustomerNews::DeskLostConversation,
            CustomerNews::SeekingDesk,
            CustomerNews::UnknownEntry,
            CustomerNews::StartedOver,
            parted(LinkFault::Replaced("gone on".to_owned())),
            parted(LinkFault::Distrusted("its key is SHA256:x".to_owned())),
            parted(LinkFault::Contradiction),
            parted(LinkFault::DeskSaid("InvalidContentType".to_owned())),
        ];
        for news in news {
            let own = news.to_string();
            let report = Report::News { text: News::Customer(news) };
            let read = shop_words(&report, false).unwrap_or(&own);
            for word in TECHNICAL {
                assert!(!read.contains(word), "{read}");
            }
        }
    }
}
