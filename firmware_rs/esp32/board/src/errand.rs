//! One connection to the update server: requests, answers, and what is done in between.
//!
//! It is carried by whatever reads and writes bytes; on the board that is TLS. The flash, the slots and the time are given,
//! so that all of it runs on the host.

use alloc::vec::Vec;
use embedded_io_async::{Read, Write};
use heapless::String;
use minerva_ota::flash::Flash;
use minerva_ota::http::{Answer, Pace, Range, request};
use minerva_ota::keyset::{self, KeySet};
use minerva_ota::manifest::{Manifest, Target};
use minerva_ota::slots::{Filling, Slots, accept};
use minerva_ota::update::{Kept, Order, Updater};
use minerva_ota::{Code, Refusal, Trouble, ddi};

/// Bytes of a request's head: a path, a token, and what stands around them.
const HEAD: usize = 1536;
const READ: usize = 1024;
/// What a server says to what it was told is not looked at.
const MAX_REPLY: usize = 1024;
/// For a shorter wait the connection is kept.
const SHORT_MS: u64 = 3000;

/// Who is asked.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    /// Its host.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// What this device proves itself with.
    pub token: &'a str,
}

/// What of a release is held between two connections.
#[derive(Debug, Default)]
pub struct Held {
    manifest: Vec<u8>,
    signature: Vec<u8>,
    filling: Option<Filling>,
    /// The download went on where an earlier one broke off.
    resumed: bool,
}

/// Why a connection is not needed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// There is nothing to do before the updater's next order, or somebody speaks.
    Later,
    /// Another connection is needed at once.
    Again,
    /// Another slot was selected: restart.
    Restart,
}

/// What an errand works with.
pub struct Errand<'a, 'b, F, N, Q, P> {
    /// What to do.
    pub updater: &'a mut Updater<'b>,
    /// Where to.
    pub slots: &'a mut Slots,
    /// The flash.
    pub flash: &'a mut F,
    /// What of a release is there.
    pub held: &'a mut Held,
    /// The key set of the settings.
    pub keys: Option<&'a KeySet>,
    /// What this device is.
    pub target: Target<'a>,
    /// Who is asked.
    pub server: Server<'a>,
    /// Milliseconds since the start.
    pub now_ms: N,
    /// Whether nobody speaks, nor did a moment ago.
    pub quiet: Q,
    /// Let others have the processor.
    pub pause: P,
}

/// How a request ended.
enum Got {
    /// As it should; the connection may be kept.
    Whole { keep: bool },
    /// Somebody speaks.
    Interrupted,
}

impl<F, N, Q, P> Errand<'_, '_, F, N, Q, P>
where
    F: Flash,
    N: Fn() -> u64,
    Q: Fn() -> bool,
    P: AsyncFn(u64),
{
    /// Talk until there is nothing to say on this connection.
    pub async fn run(&mut self, from: &mut impl Read, to: &mut impl Write) -> End {
        loop {
            let now = (self.now_ms)();
            let order = self.updater.next(now, (self.quiet)());
            let done = match order {
                Order::Wait(ms) if ms <= SHORT_MS && (self.quiet)() && !self.updater.is_idle() => {
                    (self.pause)(ms).await;
                    continue;
                }
                Order::Wait(_) => return End::Later,
                Order::Restart => return End::Restart,
                Order::Get(limit) => self.get(from, to, limit).await,
                Order::Send(method) => self.send(from, to, method).await,
                Order::Fetch(range) => self.fetch(from, to, range).await,
                Order::Verify | Order::Prepare | Order::Install => {
                    let done = self.work(order).await;
                    if let Err(trouble) = done {
                        // No answer is on its way: the connection is as good as before.
                        self.updater.failed((self.now_ms)(), &trouble);
                    }
                    Ok(Got::Whole { keep: true })
                }
            };
            match done {
                Ok(Got::Whole { keep: true }) => {}
                Ok(Got::Whole { keep: false }) => return End::Again,
                Ok(Got::Interrupted) => return End::Later,
                Err(trouble) => {
                    // What came is known only up to here, and the rest of an answer may still be on its way.
                    self.updater.failed((self.now_ms)(), &trouble);
                    return End::Again;
                }
            }
        }
    }

    /// The connection could not be made, or broke off.
    pub fn broke_off(&mut self, why: &str) {
        self.updater.failed((self.now_ms)(), &Trouble::network(why));
    }

    async fn get(
        &mut self,
        from: &mut impl Read,
        to: &mut impl Write,
        limit: usize,
    ) -> Result<Got, Trouble> {
        let mut body = Vec::new();
        let got = self.ask(from, to, "GET", b"", limit, &mut body).await?;
        if matches!(got, Got::Whole { .. }) {
            let kept = self.updater.keeps();
            self.updater.answered((self.now_ms)(), &body);
            match kept {
                Some(Kept::Manifest) => self.held.manifest = body,
                Some(Kept::Signature) => self.held.signature = body,
                None => {}
            }
        }
        Ok(got)
    }

    async fn send(
        &mut self,
        from: &mut impl Read,
        to: &mut impl Write,
        method: &str,
    ) -> Result<Got, Trouble> {
        let mut told = [0; ddi::MAX_BODY];
        let size = self.updater.body(&mut told);
        let told = told.get(..size).unwrap_or_default();
        let outcome = self.updater.past.outcome;
        let mut body = Vec::new();
        let got = self
            .ask(from, to, method, told, MAX_REPLY, &mut body)
            .await?;
        if matches!(got, Got::Whole { .. }) {
            self.updater.answered((self.now_ms)(), &body);
            if outcome.is_some() && self.updater.past.outcome.is_none() {
                self.slots.reported(self.flash).map_err(Refusal::from)?;
            }
        }
        Ok(got)
    }

    /// A request whose answer is held in memory.
    async fn ask(
        &mut self,
        from: &mut impl Read,
        to: &mut impl Write,
        method: &str,
        told: &[u8],
        limit: usize,
        body: &mut Vec<u8>,
    ) -> Result<Got, Trouble> {
        self.say(to, method, told, None).await?;
        let mut answer = Answer::new(limit, None);
        let now_ms = &self.now_ms;
        let quiet = &self.quiet;
        read(from, &mut answer, now_ms, quiet, |piece| {
            body.try_reserve(piece.len()).map_err(|_| {
                Trouble::passing(
                    Code::NoSpace,
                    format_args!("memory is short: {} bytes more", piece.len()),
                )
            })?;
            body.extend_from_slice(piece);
            Ok(())
        })
        .await
    }

    async fn say(
        &self,
        to: &mut impl Write,
        method: &str,
        told: &[u8],
        range: Option<Range>,
    ) -> Result<(), Trouble> {
        let mut head: String<HEAD> = String::new();
        let Server { host, port, token } = self.server;
        let size = (method != "GET").then_some(told.len());
        request(
            &mut head,
            method,
            host,
            port,
            &self.updater.path(),
            token,
            size,
            range,
        )
        .map_err(|_| {
            Refusal::new(
                Code::TooLong,
                format_args!("a request exceeds {HEAD} bytes"),
            )
        })?;
        let lost = |_| Trouble::network("the connection broke off");
        to.write_all(head.as_bytes()).await.map_err(lost)?;
        to.write_all(told).await.map_err(lost)?;
        to.flush().await.map_err(lost)
    }

    async fn fetch(
        &mut self,
        from: &mut impl Read,
        to: &mut impl Write,
        range: Range,
    ) -> Result<Got, Trouble> {
        self.say(to, "GET", b"", Some(range)).await?;
        let Some(filling) = &mut self.held.filling else {
            return Err(Refusal::new(Code::BadHash, format_args!("no release was begun")).into());
        };
        let mut answer = Answer::new(0, Some(range));
        let (flash, now_ms, quiet) = (&mut *self.flash, &self.now_ms, &self.quiet);
        let done = read(from, &mut answer, now_ms, quiet, |piece| {
            filling.write(flash, piece).map_err(Trouble::from)
        })
        .await;
        self.updater.came_to(filling.got());
        match done {
            Ok(got) => {
                self.slots
                    .checkpoint(self.flash, filling)
                    .map_err(Refusal::from)?;
                if matches!(got, Got::Whole { .. }) {
                    self.updater.filled(filling.got());
                }
                Ok(got)
            }
            Err(trouble) if trouble.refusal.code == Code::BadHash && self.held.resumed => {
                // What was there from before may be what is wrong: this once, fetch it whole.
                self.begin(true).await?;
                self.updater.came_to(0);
                Err(Trouble {
                    passing: true,
                    ..trouble
                })
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// What is done without the server.
    async fn work(&mut self, order: Order) -> Result<(), Trouble> {
        match order {
            Order::Verify => {
                let Some(keys) = self.keys else {
                    let why = format_args!("this device has no keys: no release can be checked");
                    return Err(Refusal::new(Code::UnknownKey, why).into());
                };
                let mut room = alloc::boxed::Box::new([0; keyset::MAX_BYTES]);
                let (manifest, signature) = (&self.held.manifest, &self.held.signature);
                let target = Target {
                    security_version: self.slots.security_version(),
                    ..self.target
                };
                let release = accept(
                    self.slots, self.flash, keys, &target, manifest, signature, &mut room,
                )?;
                self.updater.verified((self.now_ms)(), release.total);
                Ok(())
            }
            Order::Prepare => {
                self.begin(false).await?;
                let got = self.held.filling.as_ref().map_or(0, Filling::got);
                self.updater.filled(got);
                Ok(())
            }
            _ => {
                let Some(filling) = self.held.filling.take() else {
                    return Err(
                        Refusal::new(Code::BadHash, format_args!("no release was begun")).into(),
                    );
                };
                let _restart = self
                    .slots
                    .install(self.flash, filling, self.updater.action())?;
                self.updater.installed();
                *self.held = Held::default();
                Ok(())
            }
        }
    }

    /// Make the slot ready; what is there of the image counts, unless it is to come `anew`.
    async fn begin(&mut self, anew: bool) -> Result<(), Trouble> {
        let manifest = Manifest::parse(&self.held.manifest)?;
        if anew {
            self.slots.discard(self.flash).map_err(Refusal::from)?;
        }
        let mut filling = self
            .slots
            .begin(self.flash, &manifest, &self.held.manifest)?;
        while filling.restore(self.flash).map_err(Refusal::from)? {
            (self.pause)(0).await;
        }
        self.held.resumed = filling.got() > 0;
        self.held.filling = Some(filling);
        Ok(())
    }
}

/// Read an answer to its end; its body goes to `sink` piece by piece.
async fn read(
    from: &mut impl Read,
    answer: &mut Answer,
    now_ms: &impl Fn() -> u64,
    quiet: &impl Fn() -> bool,
    mut sink: impl FnMut(&[u8]) -> Result<(), Trouble>,
) -> Result<Got, Trouble> {
    let mut buffer = [0; READ];
    let mut pace = Pace::new(now_ms());
    loop {
        let size = from.read(&mut buffer).await.unwrap_or(0);
        let mut rest = buffer.get(..size).unwrap_or_default();
        if rest.is_empty() {
            return Err(Trouble::network("the update server closed the connection"));
        }
        pace.received(now_ms(), size)?;
        while let Some(piece) = answer.feed(&mut rest)? {
            sink(piece)?;
        }
        if answer.is_done() {
            // More than an answer: whatever it is, it is not for the next request.
            return Ok(Got::Whole {
                keep: answer.keeps() && rest.is_empty(),
            });
        }
        if !quiet() {
            return Ok(Got::Interrupted);
        }
    }
}
