//! Names of hubs, looked up beside the thread that all devices share: the system's resolver waits, they must not.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::{Arc, OnceLock, Weak};
use std::thread;

/// Names under way at most, each with a thread of its own; a device whose name is one more tries again later.
const MAX_UNDER_WAY: usize = 16;

/// Set once the resolver has answered: an address, whose port is 0, or none.
pub type Answer = Arc<Slot>;
type Slot = OnceLock<Option<SocketAddr>>;
type Resolver = Arc<dyn Fn(&str) -> Option<SocketAddr> + Send + Sync>;

/// The lookups under way, one for each name however many devices ask; all copies share them.
#[derive(Clone)]
pub struct Names {
    under_way: Rc<RefCell<HashMap<String, Weak<Slot>>>>,
    resolver: Resolver,
}

impl Default for Names {
    fn default() -> Self {
        Self::new(|host| (host, 0).to_socket_addrs().ok()?.next())
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Names").field(&self.under_way).finish()
    }
}

impl Names {
    /// By a resolver of one's own, which may wait.
    pub fn new(resolver: impl Fn(&str) -> Option<SocketAddr> + Send + Sync + 'static) -> Self {
        Self {
            under_way: Rc::default(),
            resolver: Arc::new(resolver),
        }
    }

    /// Ask for a name, without waiting; an address is its own answer. Whoever asks while it is under way shares it.
    ///
    /// # Errors
    ///
    /// Why it cannot be asked for now.
    pub fn look_up(&self, host: &str) -> Result<Answer, &'static str> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(Arc::new(OnceLock::from(Some((address, 0).into()))));
        }
        let mut under_way = self.under_way.borrow_mut();
        // A lookup's thread holds its answer until it is given.
        under_way.retain(|_, answer| answer.upgrade().is_some_and(|a| a.get().is_none()));
        if let Some(answer) = under_way.get(host).and_then(Weak::upgrade) {
            return Ok(answer);
        }
        if under_way.len() == MAX_UNDER_WAY {
            return Err("16 other names are being looked up");
        }
        let answer = Answer::default();
        let (given, resolver, name) = (answer.clone(), self.resolver.clone(), host.to_string());
        thread::Builder::new()
            .spawn(move || given.set(resolver(&name)))
            .map_err(|_| "the system gives no thread to look up the name")?;
        under_way.insert(host.to_string(), Arc::downgrade(&answer));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Sender, channel};
    use std::time::{Duration, Instant};

    use super::*;

    /// A resolver that waits for a word for each name, and how often it was asked.
    fn slow() -> (Names, Sender<()>, Arc<AtomicUsize>) {
        let (go, wait) = channel();
        let (wait, asked) = (Mutex::new(wait), Arc::new(AtomicUsize::new(0)));
        let counted = asked.clone();
        let names = Names::new(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            wait.lock().unwrap().recv().ok()?;
            Some(([192, 0, 2, 1], 0).into())
        });
        (names, go, asked)
    }

    fn given(answer: &Answer) -> Option<SocketAddr> {
        let began = Instant::now();
        while answer.get().is_none() && began.elapsed() < Duration::from_secs(30) {
            thread::sleep(Duration::from_millis(1));
        }
        *answer.get().unwrap()
    }

    #[test]
    fn nobody_waits_and_a_name_is_asked_for_once() {
        let (names, go, asked) = slow();
        let first = names.look_up("hub.home").unwrap();
        let second = names.clone().look_up("hub.home").unwrap();
        assert!(first.get().is_none() && Arc::ptr_eq(&first, &second));
        go.send(()).unwrap();
        assert_eq!(given(&second), Some(([192, 0, 2, 1], 0).into()));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        let third = names.look_up("hub.home").unwrap();
        assert!(!Arc::ptr_eq(&first, &third)); // the name may have moved: asked anew
        drop(go);
        assert_eq!(given(&third), None);
    }

    #[test]
    fn an_address_needs_no_resolver() {
        let (names, _go, asked) = slow();
        for host in ["127.0.0.1", "::1"] {
            assert!(names.look_up(host).unwrap().get().unwrap().is_some());
        }
        assert_eq!(asked.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn names_under_way_are_bounded() {
        let (names, go, _) = slow();
        let answers: Vec<_> = (0..MAX_UNDER_WAY)
            .map(|n| names.look_up(&format!("hub{n}.home")).unwrap())
            .collect();
        assert!(names.look_up("more.home").unwrap_err().starts_with("16 "));
        assert!(names.look_up("hub0.home").is_ok());
        drop(go);
        answers
            .iter()
            .for_each(|answer| assert_eq!(given(answer), None));
        assert!(names.look_up("more.home").is_ok());
    }
}
