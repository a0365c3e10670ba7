//! Looking at what was uploaded: whether it is an image, how large, and what it looks like in small.
//!
//! An image says in a few bytes how many pixels it has, and reading one may take much memory and time (a decompression bomb).
//! So its pixels are bounded before they are read, so is the memory for reading them, one image is read at a time, and it is
//! done off the threads that serve everybody.

use std::{io::Cursor, sync::Arc, time::Duration};

use axum::body::Bytes;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader,
    Limits,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    metadata::Orientation,
};
use tokio::sync::{Semaphore, TryAcquireError};
use tracing::{debug, error};

use super::metadata::without_metadata;
use crate::refusal::{Code, Refusal};

/// What is shown as an image: what every browser shows, and that runs nothing.
const SHOWN: &[(ImageFormat, &str)] = &[
    (ImageFormat::Png, "image/png"),
    (ImageFormat::Jpeg, "image/jpeg"),
    (ImageFormat::Gif, "image/gif"),
    (ImageFormat::WebP, "image/webp"),
];
/// The pixels of the cameras of most telephones.
const MAX_PIXELS: u64 = 50_000_000;
/// Of four bytes a pixel, and what a decoder needs beside them.
const MAX_MEMORY: u64 = 256 << 20;
/// Width and height of what an image looks like in small, at most.
const THUMBNAIL: u32 = 480;
/// An image that has no more bytes than this, and fits, is small as it is.
const SMALL: usize = 64 << 10;
const QUALITY: u8 = 80;
/// Files that wait to be looked at.
const WAITING: usize = 32;
/// When whoever finds no place is to come back.
pub(super) const COME_BACK: Duration = Duration::from_secs(3);

/// What a file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Picture(Picture),
    Other,
}

/// An image that browsers show.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) media_type: &'static str,
    /// The file, without metadata.
    pub(super) content: Bytes,
    /// Width and height as it is shown, which its orientation may exchange.
    pub(super) dimensions: (u32, u32),
    /// None when the image is small.
    pub(super) preview: Option<Vec<u8>>,
}

/// Why a file is not kept.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("The image has {0} × {1} pixels; {MAX_PIXELS} in all are allowed.")]
    TooManyPixels(u32, u32),
    #[error("The image takes too much memory to be looked at.")]
    TooMuchMemory,
    #[error("The image is damaged: what its camera wrote into it, such as the place, cannot be removed.")]
    Metadata,
}

impl Unfit {
    fn code(&self) -> Code {
        match self {
            Self::TooManyPixels(..) | Self::TooMuchMemory => Code::TooLarge,
            Self::Metadata => Code::BadRequest,
        }
    }
}

/// Looks at files, one at a time.
pub(super) struct Studio {
    turn: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Studio {
    pub(super) fn new() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            places: Arc::new(Semaphore::new(WAITING)),
        }
    }

    /// What a file is, by its content.
    pub(super) async fn look(&self, content: Bytes) -> Result<Seen, Refusal> {
        if shown_as(&content).is_none() {
            return Ok(Seen::Other);
        }
        let place = match self.places.clone().try_acquire_owned() {
            Ok(place) => place,
            // Semaphores here are never closed.
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                return Err(Refusal::unavailable(COME_BACK));
            }
        };
        let turn = self.turn.clone().acquire_owned().await;
        let looked = tokio::task::spawn_blocking(move || {
            let seen = see(&content);
            drop((place, turn));
            seen
        });
        match looked.await {
            Ok(seen) => seen.map_err(|unfit| Refusal::new(unfit.code(), unfit.to_string())),
            Err(error) => {
                // A decoder that panics on it says nothing good of the file.
                error!(%error, "looking at an image has failed");
                Ok(Seen::Other)
            }
        }
    }
}

/// As what a file would be shown, by its first bytes.
fn shown_as(content: &[u8]) -> Option<(ImageFormat, &'static str)> {
    let format = image::guess_format(content).ok()?;
    SHOWN.iter().copied().find(|(shown, _)| *shown == format)
}

/// The media type of what [`Picture::preview`] holds.
pub(crate) fn preview_type(preview: &[u8]) -> &'static str {
    shown_as(preview).map_or(super::OTHER, |(_, media_type)| media_type)
}

fn see(content: &Bytes) -> Result<Seen, Unfit> {
    let Some((format, media_type)) = shown_as(content) else {
        return Ok(Seen::Other);
    };
    match read(content, format) {
        Ok((image, orientation)) => {
            let content = without_metadata(content.clone(), format, orientation).map_err(|error| {
                debug!(%error, "the parts of an image cannot be told from each other");
                Unfit::Metadata
            })?;
            let dimensions = (image.width(), image.height());
            let fits = image.width() <= THUMBNAIL && image.height() <= THUMBNAIL;
            let preview = if fits && content.len() <= SMALL {
                None
            } else {
                // What cannot be made smaller is shown as it is.
                thumbnail(image)
                    .inspect_err(|error| debug!(%error, "cannot make a thumbnail"))
                    .ok()
            };
            Ok(Seen::Picture(Picture {
                media_type,
                content,
                dimensions,
                preview,
            }))
        }
        Err(Unread::Unfit(unfit)) => Err(unfit),
        Err(Unread::Broken(ImageError::Limits(_))) => Err(Unfit::TooMuchMemory),
        Err(Unread::Broken(error)) => {
            debug!(%error, "cannot decode an image");
            Ok(Seen::Other)
        }
    }
}

enum Unread {
    Unfit(Unfit),
    Broken(ImageError),
}

impl From<ImageError> for Unread {
    fn from(error: ImageError) -> Self {
        Self::Broken(error)
    }
}

/// The image as it is to be shown: turned as its camera was held, which is told, too. Of several it is the first.
fn read(content: &[u8], format: ImageFormat) -> Result<(DynamicImage, Orientation), Unread> {
    let mut reader = ImageReader::with_format(Cursor::new(content), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Unread::Unfit(Unfit::TooManyPixels(width, height)));
    }
    if decoder.total_bytes() > MAX_MEMORY {
        return Err(Unread::Unfit(Unfit::TooMuchMemory));
    }
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok((image, orientation))
}

fn thumbnail(image: DynamicImage) -> Result<Vec<u8>, ImageError> {
    let small = if image.width() > THUMBNAIL || image.height() > THUMBNAIL {
        image.thumbnail(THUMBNAIL, THUMBNAIL)
    } else {
        image
    };
    let mut encoded = Vec::new();
    if small.color().has_alpha() {
        let small = small.into_rgba8();
        let (width, height) = small.dimensions();
        PngEncoder::new(&mut encoded).write_image(&small, width, height, ExtendedColorType::Rgba8)?;
    } else {
        let small = small.into_rgb8();
        let (width, height) = small.dimensions();
        JpegEncoder::new_with_quality(&mut encoded, QUALITY).write_image(
            &small,
            width,
            height,
            ExtendedColorType::Rgb8,
        )?;
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, RgbaImage};

    use super::*;

    fn png(image: &DynamicImage) -> Vec<u8> {
        let mut encoded = Vec::new();
        image
            .write_to(&mut Cursor::new(&mut encoded), ImageFormat::Png)
            .unwrap();
        encoded
    }

    fn picture(content: &[u8]) -> Picture {
        match see(&Bytes::copy_from_slice(content)) {
            Ok(Seen::Picture(picture)) => picture,
            other => panic!("{other:?} is no picture"),
        }
    }

    #[test]
    fn an_image_is_measured_and_made_smaller() {
        let gradient = RgbImage::from_fn(1200, 600, |x, y| Rgb([x as u8, y as u8, 7]));
        let seen = picture(&png(&gradient.into()));
        assert_eq!((seen.media_type, seen.dimensions), ("image/png", (1200, 600)));
        let preview = seen.preview.unwrap();
        assert_eq!(preview_type(&preview), "image/jpeg");
        let small = picture(&preview);
        assert_eq!((small.dimensions, small.preview), ((480, 240), None));
        let clear = RgbaImage::new(1000, 1000);
        let preview = picture(&png(&clear.into())).preview.unwrap();
        assert_eq!(preview_type(&preview), "image/png");
    }

    #[test]
    fn an_image_is_turned_as_its_camera_was_held() {
        let mut jpeg = Vec::new();
        let wide = RgbImage::new(800, 10);
        JpegEncoder::new(&mut jpeg).encode_image(&wide).unwrap();
        // An APP1 segment with one entry of Exif: orientation (0x112) 6, a quarter turn.
        let mut exif =
            b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0".to_vec();
        exif.extend([0; 4]);
        jpeg.splice(2..2, exif);
        let seen = picture(&jpeg);
        assert_eq!(seen.dimensions, (10, 800));
        // And so is what is kept of it.
        assert_eq!(picture(&seen.content).dimensions, (10, 800));
    }

    #[test]
    fn what_only_calls_itself_an_image_is_none() {
        for content in [
            &b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"[..],
            b"<!doctype html><script>alert(1)</script>",
            b"\x89PNG\r\n\x1a\n<script>alert(1)</script>",
            b"GIF89a\x10\0\x10\0<script>alert(1)</script>",
            b"BM<script>",
            b"\xff\xd8\xff\xe0",
            b"RIFF\0\0\0\0WEBPVP8 ",
            b"x",
        ] {
            let file = Bytes::from_static(content);
            assert_eq!(see(&file).unwrap(), Seen::Other, "{content:?}");
        }
    }

    /// The header of a PNG that says how large it is, and nothing else.
    fn claims(width: u32, height: u32) -> Vec<u8> {
        let mut content = png(&RgbImage::new(1, 1).into());
        content[16..20].copy_from_slice(&width.to_be_bytes());
        content[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc32(&content[12..29]);
        content[29..33].copy_from_slice(&crc.to_be_bytes());
        content
    }

    /// As PNG has it, bit by bit.
    fn crc32(bytes: &[u8]) -> u32 {
        let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        !bytes
            .iter()
            .fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
    }

    #[test]
    fn a_decompression_bomb_is_refused_before_it_is_read() {
        for (width, height) in [(100_000, 100_000), (10_000, 5_001), (50_000_001, 1)] {
            let refused = see(&claims(width, height).into()).unwrap_err().to_string();
            assert!(refused.contains("50000000 in all are allowed"), "{refused}");
        }
    }

    #[tokio::test]
    async fn who_finds_no_place_is_told_to_come_back() {
        let studio = Studio::new();
        let _all = studio.places.clone().acquire_many_owned(WAITING as u32).await;
        let image = Bytes::from(png(&RgbImage::new(1, 1).into()));
        assert_eq!(studio.look(image).await.unwrap_err().code, Code::Unavailable);
        assert_eq!(
            studio.look(Bytes::from_static(b"text")).await.unwrap(),
            Seen::Other
        );
    }
}
