//! What the hub says, and what becomes of it.

use super::{Link, LinkEvent, LinkEvents, Outgoing, State};
use crate::control::{Ack, Config, ErrorMessage, FromHub, PlayAction, UpdateOrder, Welcome};
use crate::error::{Code, Text, WireError, text};
use crate::media::Kind;
use crate::privacy::Mode;

impl Link {
    pub(super) fn obey(&mut self, message: FromHub<'_>, events: &mut LinkEvents) {
        match message {
            FromHub::Welcome(welcome) => self.on_welcome(welcome, events),
            FromHub::Config(config) => self.on_config(config, events),
            FromHub::Ack(ack) => self.on_ack(ack, events),
            FromHub::Mute(order) => self.set_mute(order.on, true, events),
            FromHub::Play(play) => {
                if play.action == PlayAction::Start {
                    self.refuse(WireError::new(
                        Code::UnsupportedPlay,
                        format_args!("this device has no speaker"),
                    ));
                }
            }
            FromHub::Update(UpdateOrder::Check) if self.updater => {
                emit(events, LinkEvent::CheckUpdates);
            }
            FromHub::Update(UpdateOrder::Check) => self.refuse(WireError::new(
                Code::UnsupportedUpdate,
                format_args!("this firmware has no updater"),
            )),
            FromHub::Error(error) => self.on_error(&error, events),
        }
    }

    fn on_welcome(&mut self, welcome: Welcome<'_>, events: &mut LinkEvents) {
        self.frames = welcome.frames;
        self.set_kind(welcome.kind);
        self.resume = welcome.resume;
        emit(
            events,
            LinkEvent::Welcome {
                utc_ms: welcome.utc_ms,
            },
        );
        self.set_mode(welcome.mode, events);
        self.set_mute(welcome.mute, false, events);
    }

    fn on_config(&mut self, config: Config, events: &mut LinkEvents) {
        self.frames = config.frames.unwrap_or(self.frames);
        if let Some(kind) = config.kind {
            self.set_kind(kind);
        }
        emit(events, LinkEvent::Config);
        if let Some(mode) = config.mode {
            self.set_mode(mode, events);
        }
    }

    fn on_ack(&mut self, ack: Ack, events: &mut LinkEvents) {
        if let Some(seq) = ack.seq {
            let stream = ack.stream.unwrap_or(0);
            emit(events, LinkEvent::Ack { stream, seq });
        }
        if let Some(n) = ack.health {
            self.health_acked = Some(n);
            emit(events, LinkEvent::HealthAck(n));
        }
    }

    fn on_error(&mut self, error: &ErrorMessage<'_>, events: &mut LinkEvents) {
        let code = text(format_args!("{}", error.code));
        let message: Text = text(format_args!("{}", error.message));
        emit(
            events,
            LinkEvent::Error {
                code: code.clone(),
                message: message.clone(),
            },
        );
        if error.fatal {
            self.state = State::Closed;
            let own = false;
            emit(events, LinkEvent::Closed { code, message, own });
        }
    }

    fn set_kind(&mut self, kind: Kind) {
        if kind.is_audio() && self.identity.kinds.contains(&kind) {
            self.kind = kind;
            return;
        }
        let what = if kind.is_audio() {
            "this device has no media kind"
        } else {
            "features are a mode, not a kind of audio:"
        };
        self.refuse(WireError::new(
            Code::UnknownKind,
            format_args!("{what} {kind}; it stays with {}", self.kind),
        ));
    }

    fn set_mode(&mut self, mode: Mode, events: &mut LinkEvents) {
        let outcome = self.privacy.ask(mode);
        if let Some(error) = outcome.refusal {
            self.refuse(error);
        }
        if outcome.changed {
            emit(events, LinkEvent::Mode(self.privacy.mode()));
        }
    }

    fn set_mute(&mut self, on: bool, explicit: bool, events: &mut LinkEvents) {
        let outcome = self.privacy.hub_mute(on);
        if let Some(error) = outcome.refusal.filter(|_| explicit) {
            self.refuse(error);
        }
        if outcome.changed || explicit {
            self.say(Outgoing::Mute(self.privacy.muted()));
        }
        if outcome.changed {
            emit(events, LinkEvent::Muted(self.privacy.muted()));
        }
    }
}

/// No message makes more events than [`LinkEvents`] holds.
pub(super) fn emit(events: &mut LinkEvents, event: LinkEvent) {
    let pushed = events.push(event);
    debug_assert!(pushed.is_ok(), "a message made more than four events");
}
