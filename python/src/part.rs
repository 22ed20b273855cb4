//! A mechanism that stands alone, or that is a part of a guard: the same class of Python for both.

use std::any::Any;
use std::ops::Deref;
use std::sync::Arc;

/// A `T` of its own, or one inside of a whole that it keeps alive.
pub(crate) enum Part<T: ?Sized> {
    Own(Box<T>),
    Of(Arc<dyn Any + Send + Sync>, fn(&(dyn Any + Send + Sync)) -> &T),
}

impl<T> Part<T> {
    pub(crate) fn own(part: T) -> Self {
        Self::Own(Box::new(part))
    }
}

impl<T: ?Sized> Deref for Part<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match self {
            Self::Own(part) => part,
            Self::Of(whole, find) => find(&**whole),
        }
    }
}
