//! What a restart finds in the journal, and tells.

use super::*;

impl Desk {
    /// A desk as a restart finds it in the journal: its queue in the old order, its conversations and its focus.
    pub fn restore(id: DeskId, options: Options, stories: &[Story], focus: Option<ConversationId>, now: Now) -> Desk {
        let mut desk = Desk::new(id, options, now);
        let mut waiting = Vec::new();
        for story in stories {
            let mut conversation = Conversation::new(story.secret, now);
            conversation.idle = Idle { before: story.idle, since: now.clock, noted: story.idle };
            conversation.asleep = story.idle >= LIFETIME;
            conversation.name = story.name.as_deref().map(Into::into);
            conversation.last = story.own;
            conversation.held = story.held;
            conversation.sending = Sending::restore(story.delivered.max(story.held));
            conversation.receiving = Receiving::restore(story.theirs.first().map_or(0, |(_, last)| *last));
            let mut since = 0;
            for line in &story.controls {
                if let What::Entry(_, entry) = &line.what {
                    conversation.recall(id, line.own, entry);
                    if matches!(entry.body, Body::Requested { .. }) {
                        since = line.place;
                    }
                }
            }
            conversation.told = (conversation.phase, conversation.request);
            desk.ordinals.push(story.id);
            conversation.ordinal = desk.ordinals.len() as u32;
            if conversation.phase == Phase::Queued && !conversation.asleep {
                waiting.push((since, story.id));
            }
            desk.conversations.insert(story.id, conversation);
            desk.review(story.id);
        }
        waiting.sort_unstable();
        desk.queue = waiting.into_iter().map(|(_, id)| id).collect();
        desk.focus = focus.filter(|id| desk.conversations.get(id).is_some_and(Conversation::is_active));
        desk
    }

    /// Tells where every live conversation is, after a restart.
    pub fn tell_states(&mut self) {
        // Their places are counted here: to look each one up would be quadratic.
        let places: HashMap<_, _> = self.queue.iter().copied().zip(1..).collect();
        for id in self.ordinals.clone() {
            if self.conversations[&id].is_live() {
                self.tell_state_at(id, places.get(&id).copied(), None);
            }
        }
    }
}

impl Conversation {
    /// What an entry made of the state, when it was recorded.
    fn recall(&mut self, desk: DeskId, own: bool, entry: &Entry) {
        let asked = match &entry.body {
            Body::Accept { .. } => Some(Ask::Accept { by_admin: true }),
            Body::HandBack { .. } => Some(Ask::HandBack),
            Body::Close { .. } => Some(Ask::Close),
            _ => None,
        };
        match asked {
            Some(asked) if own => self.open = Some(Open { number: entry.number, asked }),
            _ if own => {}
            _ => self.learn_control(desk, entry),
        }
    }
}
