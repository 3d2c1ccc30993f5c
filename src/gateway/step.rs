//! A check on the way of a request, as a tower layer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower::{Layer, Service};

use super::call::OfCall;
use crate::refusal::Refusal;

/// A check that takes one type and hands on a stronger one, or refuses.
///
/// The stronger type has private fields and is made nowhere else. Leaving a step out of the stack therefore does not
/// compile: the service inside it asks for what only this step can make.
pub trait Step: Send + Sync + 'static {
    /// The name in timings.
    const NAME: &'static str;
    /// What the step takes.
    type In: OfCall + Send + 'static;
    /// What it hands on: the same, and the proof that the check was passed.
    type Out: Send + 'static;

    /// The check.
    fn check(&self, input: Self::In) -> impl Future<Output = Result<Self::Out, Refusal>> + Send;
}

/// Puts a [`Step`] around a service.
pub struct StepLayer<T>(std::sync::Arc<T>);

impl<T> StepLayer<T> {
    /// The layer of a step.
    pub fn new(step: T) -> Self {
        Self(std::sync::Arc::new(step))
    }
}

impl<T> Clone for StepLayer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T, S> Layer<S> for StepLayer<T> {
    type Service = StepService<T, S>;
    fn layer(&self, inner: S) -> Self::Service {
        StepService { step: self.0.clone(), inner }
    }
}

/// A service that is reached only through a [`Step`].
pub struct StepService<T, S> {
    step: std::sync::Arc<T>,
    inner: S,
}

impl<T, S: Clone> Clone for StepService<T, S> {
    fn clone(&self) -> Self {
        Self { step: self.step.clone(), inner: self.inner.clone() }
    }
}

/// A future on the heap: one allocation a step, against types that no reader can follow.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<T, S> Service<T::In> for StepService<T, S>
where
    T: Step,
    S: Service<T::Out, Error = Refusal> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = Refusal;
    type Future = BoxFuture<Result<S::Response, Refusal>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        // Load is shed at the edge; inside, every service is ready, and `call` below waits for none.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, input: T::In) -> Self::Future {
        let step = self.step.clone();
        let mut inner = self.inner.clone();
        Box::pin(async move {
            let call = input.call().clone();
            let started = call.start();
            let checked = step.check(input).await;
            call.finish(T::NAME, started);
            inner.call(checked?).await
        })
    }
}
