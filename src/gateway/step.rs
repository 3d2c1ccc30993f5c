//! What stands on the way of a request, as tower's layers and services.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower::{Layer, Service};

use super::call::OfCall;
use crate::refusal::Refusal;

/// A check that takes one type and hands on a stronger one, or refuses.
///
/// The stronger type has private fields and is made nowhere else. Leaving a check out of the stack therefore does not
/// compile: the service inside it asks for what only this check can make.
pub trait Check: Send + Sync + 'static {
    /// The name in timings.
    const NAME: &'static str;
    /// What the check takes.
    type In: OfCall + Send + 'static;
    /// What it hands on: the same, and the proof that the check was passed.
    type Out: Send + 'static;

    /// Makes the proof, or says with which refusal the call ends.
    fn check(&self, input: Self::In) -> impl Future<Output = Result<Self::Out, Refusal>> + Send;
}

/// What stands on the way with the rest of it, `inner`, behind: it sees the request before, and the answer after. A
/// [`Check`] is one that has no say about the answer.
pub trait Step<S>: Send + Sync + 'static {
    /// What it takes.
    type In: Send + 'static;
    /// What it gives back.
    type Out;
    /// How it says no.
    type Error;

    /// Takes the request, and calls `inner` or refuses.
    fn pass(&self, input: Self::In, inner: S) -> impl Future<Output = Result<Self::Out, Self::Error>> + Send;
}

impl<T, S> Step<S> for T
where
    T: Check,
    S: Service<<T as Check>::Out, Error = Refusal> + Send + 'static,
    S::Future: Send,
{
    type In = <T as Check>::In;
    type Out = S::Response;
    type Error = Refusal;

    async fn pass(&self, input: <T as Check>::In, mut inner: S) -> Result<S::Response, Refusal> {
        let call = input.call().clone();
        let started = call.start();
        let checked = self.check(input).await;
        call.finish(T::NAME, started);
        inner.call(checked?).await
    }
}

/// Puts a [`Step`] around a service.
pub struct StepLayer<T>(Arc<T>);

impl<T> StepLayer<T> {
    /// The layer of a step.
    pub fn new(step: T) -> Self {
        Self(Arc::new(step))
    }
}

impl<T, S> Layer<S> for StepLayer<T> {
    type Service = StepService<T, S>;
    fn layer(&self, inner: S) -> Self::Service {
        StepService { step: self.0.clone(), inner: Arc::new(inner) }
    }
}

/// A service that is reached only through a [`Step`]. Cheap to clone, however much stands inside: every call is one, at each step.
pub struct StepService<T, S> {
    step: Arc<T>,
    inner: Arc<S>,
}

impl<T> StepService<T, ()> {
    /// The innermost service: a step with nothing behind it.
    pub fn innermost(step: T) -> Self {
        Self { step: Arc::new(step), inner: Arc::new(()) }
    }
}

impl<T, S> Clone for StepService<T, S> {
    fn clone(&self) -> Self {
        Self { step: self.step.clone(), inner: self.inner.clone() }
    }
}

/// A future on the heap: one allocation a step, against types that no reader can follow.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<T, S> Service<T::In> for StepService<T, S>
where
    T: Step<S>,
    S: Clone + Send + Sync + 'static,
{
    type Response = T::Out;
    type Error = T::Error;
    type Future = BoxFuture<Result<T::Out, T::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), T::Error>> {
        // Load is shed at the edge; inside, every service is ready, and no step waits for the one behind it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, input: T::In) -> Self::Future {
        let (step, inner) = (self.step.clone(), S::clone(&self.inner));
        Box::pin(async move { step.pass(input, inner).await })
    }
}
