//! Whether a type has a trait, asked of the compiler and answered when the test runs.

/// Answers where the type has the trait: a method on a reference comes before one on a reference to a reference.
pub trait Has {
    /// Yes.
    fn has(&self) -> bool {
        true
    }
}

/// Answers for every type.
pub trait HasNot {
    /// No.
    fn has(&self) -> bool {
        false
    }
}

/// Whether a type has a trait.
#[macro_export]
macro_rules! has {
    ($type:ty, $bound:path) => {{
        use $crate::traits::{Has as _, HasNot as _};
        struct Asked<T>(std::marker::PhantomData<T>);
        impl<T: $bound> $crate::traits::Has for Asked<T> {}
        impl<T> $crate::traits::HasNot for &Asked<T> {}
        (&Asked::<$type>(std::marker::PhantomData)).has()
    }};
}
