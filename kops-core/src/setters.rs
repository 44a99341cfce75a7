//! Chainable setters for public data types.
//!
//! Types that may grow are `#[non_exhaustive]`: other crates make them with a constructor that takes what is required,
//! and set the rest by methods named after the members. Writing those methods out would be five lines each that say
//! nothing; here they are one line each, with their documentation.

/// Methods that set a member and return the value, by how the member takes its argument:
///
/// - `set name: T;` takes a `T`.
/// - `into name: T;` takes whatever becomes a `T`.
/// - `text name;` takes whatever becomes a `String`, for a member that is an `Option<String>`.
/// - `option name: T;` takes a `T` or an `Option<T>`.
/// - `extend name: T;` adds the items to a member that is a collection of `T`.
macro_rules! setters {
    () => {};
    ($(#[$doc:meta])* set $name:ident: $type:ty; $($rest:tt)*) => {
        $(#[$doc])*
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = $name;
            self
        }
        $crate::setters::setters! { $($rest)* }
    };
    ($(#[$doc:meta])* into $name:ident: $type:ty; $($rest:tt)*) => {
        $(#[$doc])*
        pub fn $name(mut self, $name: impl Into<$type>) -> Self {
            self.$name = $name.into();
            self
        }
        $crate::setters::setters! { $($rest)* }
    };
    ($(#[$doc:meta])* text $name:ident; $($rest:tt)*) => {
        $(#[$doc])*
        pub fn $name(mut self, $name: impl Into<String>) -> Self {
            self.$name = Some($name.into());
            self
        }
        $crate::setters::setters! { $($rest)* }
    };
    ($(#[$doc:meta])* option $name:ident: $type:ty; $($rest:tt)*) => {
        $(#[$doc])*
        pub fn $name(mut self, $name: impl Into<Option<$type>>) -> Self {
            self.$name = $name.into();
            self
        }
        $crate::setters::setters! { $($rest)* }
    };
    ($(#[$doc:meta])* extend $name:ident: $type:ty; $($rest:tt)*) => {
        $(#[$doc])*
        pub fn $name(mut self, $name: impl IntoIterator<Item = $type>) -> Self {
            self.$name.extend($name);
            self
        }
        $crate::setters::setters! { $($rest)* }
    };
}

pub(crate) use setters;
