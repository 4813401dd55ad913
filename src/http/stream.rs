//! `GET /v1/events/stream`: the feed as server-sent events.
//!
//! Each stream reads the store at its reader's own pace: what the reader has not taken is not read,
//! so a slow one costs nothing but its connection. It looks again as soon as this process commits
//! something, and twice a second for what other replicas commit. A stream ends when the daemon
//! drains or its key no longer holds; the reader comes back with the last id that it saw and misses
//! nothing. Bounded: [`BATCH`] events in memory, so many streams a key as the settings allow.

use super::auth::{Caller, Scope};
use super::dto::FeedEventDto;
use super::events::{filter_of, is_within, read};
use super::problem::{Code, Problem};
use super::query::StreamQuery;
use super::refusal;
use super::router::App;
use super::serve::Connection;
use crate::store::{FeedEvent, FeedFilter};
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How many events are read at once.
const BATCH: u32 = 100;
/// How often a stream looks for what another replica wrote, for the end of the daemon and of its key.
const LOOK: Duration = Duration::from_millis(500);
/// What is committed within this time is read at once, so that a busy store is not asked at each commit.
const GATHER: Duration = Duration::from_millis(25);
/// How soon a reader comes back after its stream has ended.
const RETRY: Duration = Duration::from_secs(1);

/// How many streams each key holds open.
#[derive(Debug, Default)]
pub struct Streams {
    open: Arc<Mutex<HashMap<String, usize>>>,
}

/// One open stream's place among those of its key; given back when it is dropped.
#[derive(Debug)]
struct Place {
    open: Arc<Mutex<HashMap<String, usize>>>,
    key_id: String,
}

impl Streams {
    fn take(&self, key_id: &str, places_max: usize) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.get(key_id).copied().unwrap_or(0);
        if count >= places_max {
            return None;
        }
        open.insert(key_id.to_owned(), count.saturating_add(1));
        Some(Place {
            open: Arc::clone(&self.open),
            key_id: key_id.to_owned(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.key_id) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                open.remove(&self.key_id);
            }
        }
    }
}

/// `GET /v1/events/stream`
pub async fn stream(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    caller.require(Scope::PaymentsRead)?;
    let query = StreamQuery::read(query.as_deref())?;
    if app.state.live.is_draining() {
        return Err(refusal::shutting_down(&app.state));
    }
    let changed = app.state.store.feed_changed();
    let filter = filter_of(&caller, query.types);
    // A reader that comes back asks by the URL it began with: what it has seen since is in the header.
    let position = match last_event_id(&headers)?.or(query.after) {
        Some(after) => {
            is_within(&read(&app, after, &filter, 1).await?, after)?;
            after
        }
        None => {
            let end = app.state.store.feed_end().await;
            end.map_err(|error| refusal::store_read(&error))?
        }
    };
    let places_max = app.state.settings.streams_per_key;
    let Some(place) = app.streams.take(&caller.key_id, places_max) else {
        let detail = format!("The key may hold {places_max} streams open; close one.");
        return Err(Problem::new(Code::TooManyStreams, detail).retry_after(RETRY.as_secs()));
    };
    if let Some(Extension(connection)) = connection {
        connection.streams();
    }
    let reader = Reader {
        app,
        caller,
        filter,
        position,
        told: None,
        ready: VecDeque::new(),
        look: Look::Now,
        quiet_since: Instant::now(),
        checked_at: Instant::now(),
        read_at: Instant::now(),
        changed,
        _place: place,
    };
    let events = futures_util::stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, std::convert::Infallible>(event), reader))
    });
    let mut response = Sse::new(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy that collects an answer before it passes it on would hold events back.
    let buffering = HeaderName::from_static("x-accel-buffering");
    headers.insert(buffering, HeaderValue::from_static("no"));
    Ok(response)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let read = value.to_str().ok().and_then(|text| text.parse().ok());
    match read.filter(|id: &i64| *id >= 0) {
        Some(id) => Ok(Some(id)),
        None => {
            let detail = "is not an id that a stream gave out";
            let problem = Problem::new(
                Code::InvalidHeader,
                format!("The Last-Event-ID header {detail}."),
            );
            Err(problem.at("/header/last-event-id", detail))
        }
    }
}

/// When the store is to be read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Now,
    /// Not before something has changed, or [`LOOK`] has passed.
    Later,
}

/// One stream.
struct Reader {
    app: Arc<App>,
    caller: Caller,
    filter: FeedFilter,
    /// Everything up to this sequence is sent, waits in `ready`, or is not for this reader.
    position: i64,
    /// The id that the reader was told last.
    told: Option<i64>,
    /// Read and not sent.
    ready: VecDeque<FeedEvent>,
    look: Look,
    quiet_since: Instant,
    checked_at: Instant,
    read_at: Instant,
    changed: watch::Receiver<i64>,
    _place: Place,
}

impl Reader {
    /// What is sent next; nothing where the stream is over.
    async fn next(&mut self) -> Option<Event> {
        if self.told.is_none() {
            // Before the first event, so that a reader whose stream ends until then still knows its place.
            self.told = Some(self.position);
            let id = self.position.to_string();
            return Some(Event::default().retry(RETRY).id(id));
        }
        loop {
            if self.is_over().await {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                self.told = Some(event.sequence);
                self.quiet_since = Instant::now();
                return shown(event);
            }
            if self.look == Look::Now {
                self.read().await?;
                continue;
            }
            if self.quiet_since.elapsed() >= self.app.state.settings.heartbeat {
                self.quiet_since = Instant::now();
                return Some(self.sign_of_life());
            }
            self.wait().await;
            self.look = Look::Now;
        }
    }

    /// Waits until there may be something to read, or it is time to look.
    async fn wait(&mut self) {
        let gathered = self.read_at + GATHER;
        let look_at = self.read_at + LOOK.min(self.app.state.settings.heartbeat);
        tokio::select! {
            () = tokio::time::sleep_until(look_at) => {}
            // What changes at the same moment is read at once; its sender lives as long as the store.
            _hint = self.changed.changed() => tokio::time::sleep_until(gathered).await,
        }
    }

    /// Whether the daemon drains, or the key no longer holds.
    async fn is_over(&mut self) -> bool {
        let state = &self.app.state;
        if state.live.is_draining() {
            return true;
        }
        if self.checked_at.elapsed() < LOOK {
            return false;
        }
        self.checked_at = Instant::now();
        let (now, monotonic) = (state.clock.now(), state.clock.monotonic());
        let stands = self
            .app
            .authenticator
            .stands(&state.store, &self.caller, now, monotonic);
        match stands.await {
            Ok(stands) => !stands,
            // Without the store there is nothing to send either; it is asked again.
            Err(_) => false,
        }
    }

    /// Reads what comes next; `None` where the stream cannot go on without a gap.
    async fn read(&mut self) -> Option<()> {
        self.read_at = Instant::now();
        self.changed.mark_unchanged();
        let page = self
            .app
            .state
            .store
            .feed_page(self.position, &self.filter, BATCH);
        match page.await {
            Ok(page) if page.expired > self.position => {
                // The reader was slower than the retention. It is told when it comes back.
                tracing::info!(
                    feed.position = self.position,
                    "a stream fell behind the feed"
                );
                None
            }
            Ok(page) => {
                self.position = page.through;
                self.ready = page.events.into();
                self.look = if page.at_end { Look::Later } else { Look::Now };
                Some(())
            }
            Err(error) => {
                tracing::debug!(%error, "a stream waits for the store");
                self.look = Look::Later;
                error.retryable().then_some(())
            }
        }
    }

    /// A comment, with the place that the reader has come to where no event told it.
    fn sign_of_life(&mut self) -> Event {
        let event = Event::default().comment("");
        if self.told == Some(self.position) {
            return event;
        }
        self.told = Some(self.position);
        event.id(self.position.to_string())
    }
}

fn shown(event: FeedEvent) -> Option<Event> {
    let sequence = event.sequence;
    let shown = Event::default()
        .id(sequence.to_string())
        .event(&event.type_);
    match shown.json_data(FeedEventDto::of(event)) {
        Ok(shown) => Some(shown),
        Err(error) => {
            // It came out of the store as JSON; a stream that left it out would lie.
            tracing::error!(feed.sequence = sequence, %error, "an event cannot be shown");
            None
        }
    }
}
