//! Images without what was written into them beside the picture: where a photograph was taken, when, with what, and a thumbnail
//! that may show more than the picture does.
//!
//! The picture itself stays as it is, byte for byte. What says how it is to be shown stays, too: its colours, and how the camera
//! was held. GIF has no place for what cameras write, and stays whole.

use axum::body::Bytes;
use image::{ImageFormat, metadata::Orientation};
use img_parts::{
    ImageEXIF,
    jpeg::{Jpeg, JpegSegment, markers},
    png::Png,
    riff::RiffContent,
    webp::{CHUNK_VP8X, CHUNK_XMP, WebP},
};

/// Ancillary chunks that a PNG is shown by (PNG 3, 11.3): transparency, colours, size, and the frames of an animation.
const SHOWN_BY: &[&[u8; 4]] = &[
    b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"bKGD", b"pHYs",
    b"acTL", b"fcTL", b"fdAT",
];
/// Chunks of a WebP (RFC 9649) that hold the picture, its colours and its frames.
const OF_WEBP: &[&[u8; 4]] = &[b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"];
/// In the first byte of the chunk `VP8X`: there is XMP.
const HAS_XMP: u8 = 0b0000_0100;

/// The image with its orientation, and no other metadata.
///
/// # Errors
/// When its parts cannot be told from each other.
pub(super) fn without_metadata(
    content: Bytes,
    format: ImageFormat,
    orientation: Orientation,
) -> Result<Bytes, img_parts::Error> {
    let exif = (orientation != Orientation::NoTransforms).then(|| exif_of(orientation));
    match format {
        ImageFormat::Jpeg => {
            let mut jpeg = Jpeg::from_bytes(content.clone())?;
            jpeg.segments_mut().retain(is_of_picture);
            if let Some(scan) = jpeg.segments_mut().last_mut().filter(|last| last.has_entropy()) {
                // All that comes after the header of the first scan is its.
                let coded = content.slice(content.len() - (scan.len_with_entropy() - scan.len())..);
                let picture = coded.slice(..end_of_picture(&coded));
                *scan = JpegSegment::new_with_entropy(scan.marker(), scan.contents().clone(), picture);
            }
            jpeg.set_exif(exif);
            Ok(jpeg.encoder().bytes())
        }
        ImageFormat::Png => {
            let mut png = Png::from_bytes(content)?;
            // A critical chunk has a capital first.
            png.chunks_mut()
                .retain(|chunk| chunk.kind()[0].is_ascii_uppercase() || SHOWN_BY.contains(&&chunk.kind()));
            png.set_exif(exif);
            Ok(png.encoder().bytes())
        }
        ImageFormat::WebP => {
            let mut webp = WebP::from_bytes(content)?;
            webp.chunks_mut().retain(|chunk| OF_WEBP.contains(&&chunk.id()));
            webp.remove_chunks_by_id(CHUNK_XMP);
            for chunk in webp.chunks_mut() {
                if chunk.id() == CHUNK_VP8X
                    && let RiffContent::Data(data) = chunk.content_mut()
                    && let Some(flags) = data.first().map(|flags| flags & !HAS_XMP)
                {
                    let rest = data.slice(1..);
                    *data = [&[flags][..], &rest].concat().into();
                }
            }
            webp.set_exif(exif);
            Ok(webp.encoder().bytes())
        }
        _ => Ok(content),
    }
}

/// Whether a segment of a JPEG says something of the picture: what decodes it, JFIF, the profile of its colours, and Adobe's word
/// on how they are encoded.
fn is_of_picture(segment: &JpegSegment) -> bool {
    let begins = |with: &[u8]| segment.contents().starts_with(with);
    match segment.marker() {
        markers::APP0 => begins(b"JFIF\0"),
        markers::APP2 => begins(b"ICC_PROFILE\0"),
        markers::APP14 => begins(b"Adobe"),
        markers::APP1..=markers::APP15 | markers::COM => false,
        _ => true,
    }
}

/// Where a picture ends, of which this comes after the header of its first scan. Behind it cameras put other pictures and films,
/// which have metadata of their own.
fn end_of_picture(coded: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = coded
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == markers::P))
    {
        let marker = at + found + 1;
        at = match coded.get(marker) {
            None => break,
            Some(&markers::EOI) => return marker + 1,
            // Fill bytes, of which the last one begins the marker.
            Some(&markers::P) => marker,
            // A stuffed byte, or the start of an interval.
            Some(0 | markers::RST0..=markers::RST7) => marker + 1,
            // Between two scans: tables, or the header of the next, which say how long they are.
            Some(_) => match coded.get(marker + 1..marker + 3) {
                Some(&[high, low]) => marker + 1 + usize::from(u16::from_be_bytes([high, low])),
                _ => break,
            },
        };
    }
    // It has no end; decoders show what there is.
    coded.len()
}

/// Exif (CIPA DC-008) with one entry: the orientation.
fn exif_of(orientation: Orientation) -> Bytes {
    let mut exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.push(orientation.to_exif());
    // The rest of the value, and that there is no other directory.
    exif.extend([0; 6]);
    exif.into()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageDecoder, ImageReader, Rgb, RgbImage};
    use img_parts::{ImageICC, png::PngChunk, riff::RiffChunk};

    use super::*;

    const SECRETS: &[&[u8]] = &[b"GPS", b"Canon", b"<x:xmpmeta>"];

    fn encoded(format: ImageFormat) -> Bytes {
        let picture = RgbImage::from_fn(64, 48, |x, y| Rgb([x as u8 * 3, y as u8 * 5, 9]));
        let mut content = Vec::new();
        DynamicImage::from(picture)
            .write_to(&mut Cursor::new(&mut content), format)
            .unwrap();
        content.into()
    }

    /// What a camera writes: the orientation among other things, big or little first.
    fn camera(orientation: u8) -> Bytes {
        let mut exif = b"II\x2a\0\x08\0\0\0\x02\0".to_vec();
        // The maker, six bytes at 38, and the orientation.
        exif.extend(b"\x0f\x01\x02\0\x06\0\0\0\x26\0\0\0");
        exif.extend([0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
        exif.extend(b"Canon\0GPS 52.5200 N 13.4050 E");
        exif.into()
    }

    fn decoded(content: &[u8], format: ImageFormat) -> (DynamicImage, Orientation) {
        let reader = ImageReader::with_format(Cursor::new(content), format);
        let mut decoder = reader.into_decoder().unwrap();
        let orientation = decoder.orientation().unwrap();
        (DynamicImage::from_decoder(decoder).unwrap(), orientation)
    }

    fn holds(content: &[u8], part: &[u8]) -> bool {
        content.windows(part.len()).any(|window| window == part)
    }

    /// A photograph, which must come out as the same picture without its secrets.
    fn check(photograph: Bytes, format: ImageFormat) -> Bytes {
        assert!(
            SECRETS.iter().all(|secret| holds(&photograph, secret)),
            "{format:?}"
        );
        let (picture, orientation) = decoded(&photograph, format);
        let clean = without_metadata(photograph, format, orientation).unwrap();
        for secret in SECRETS {
            assert!(!holds(&clean, secret), "{format:?} holds {secret:?}");
        }
        assert_eq!(decoded(&clean, format), (picture, orientation), "{format:?}");
        assert_eq!(
            without_metadata(clean.clone(), format, orientation).unwrap(),
            clean
        );
        clean
    }

    fn jpeg_photograph(orientation: u8) -> Jpeg {
        let mut jpeg = Jpeg::from_bytes(encoded(ImageFormat::Jpeg)).unwrap();
        jpeg.set_exif(Some(camera(orientation)));
        let xmp = Bytes::from_static(b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>");
        jpeg.segments_mut()
            .insert(1, JpegSegment::new_with_contents(markers::APP1, xmp));
        let comment = Bytes::from_static(b"Canon of a friend");
        jpeg.segments_mut()
            .insert(1, JpegSegment::new_with_contents(markers::COM, comment));
        jpeg.set_icc_profile(Some(Bytes::from_static(b"a profile")));
        jpeg
    }

    #[test]
    fn a_jpeg_keeps_its_picture_its_colours_and_its_orientation_alone() {
        for orientation in 1..=8 {
            let clean = check(jpeg_photograph(orientation).encoder().bytes(), ImageFormat::Jpeg);
            let profile = Jpeg::from_bytes(clean).unwrap().icc_profile().unwrap();
            assert_eq!(&profile[..], b"a profile");
        }
    }

    #[test]
    fn what_a_camera_puts_behind_the_picture_goes() {
        let inner = jpeg_photograph(1).encoder().bytes();
        let with_another = [&jpeg_photograph(6).encoder().bytes()[..], &inner].concat();
        let clean = check(with_another.into(), ImageFormat::Jpeg);
        assert!(clean.ends_with(&[markers::P, markers::EOI]));
    }

    #[test]
    fn a_scan_ends_at_its_own_end() {
        for (coded, end) in [
            (&b"\x12\xff\x00\xff\xd0\x34\xff\xd9tail"[..], 8),
            // Between two scans a table that holds what looks like an end.
            (b"\x12\xff\xc4\x00\x04\xff\xd9\x34\xff\xff\xd9tail", 11),
            (b"\x12\xff\xc4\x00", 4),
            (b"\x12\xff\xc4\xff\xff\x00", 6),
            (b"\x12\xff", 2),
            (b"", 0),
        ] {
            assert_eq!(end_of_picture(coded), end, "{coded:?}");
        }
    }

    #[test]
    fn a_png_keeps_its_picture_and_its_orientation_alone() {
        for orientation in [1, 6] {
            let mut png = Png::from_bytes(encoded(ImageFormat::Png)).unwrap();
            png.set_exif(Some(camera(orientation)));
            let text = PngChunk::new(*b"iTXt", Bytes::from_static(b"XML:com.adobe.xmp\0<x:xmpmeta>"));
            png.chunks_mut().insert(1, text);
            let gamma = PngChunk::new(*b"gAMA", Bytes::from_static(b"\0\0\xb1\x8f"));
            png.chunks_mut().insert(1, gamma);
            let clean = check(png.encoder().bytes(), ImageFormat::Png);
            assert!(holds(&clean, b"gAMA"));
        }
    }

    #[test]
    fn a_webp_keeps_its_picture_and_its_orientation_alone() {
        for orientation in [1, 6] {
            let mut webp = WebP::from_bytes(encoded(ImageFormat::WebP)).unwrap();
            let xmp = RiffContent::Data(Bytes::from_static(b"<x:xmpmeta>"));
            webp.chunks_mut().push(RiffChunk::new(CHUNK_XMP, xmp));
            webp.set_exif(Some(camera(orientation)));
            for chunk in webp.chunks_mut() {
                if chunk.id() == CHUNK_VP8X
                    && let RiffContent::Data(data) = chunk.content_mut()
                {
                    *data = [&[data[0] | HAS_XMP][..], &data[1..]].concat().into();
                }
            }
            check(webp.encoder().bytes(), ImageFormat::WebP);
        }
    }

    #[test]
    fn what_has_no_metadata_stays_as_it_is() {
        for format in [
            ImageFormat::Jpeg,
            ImageFormat::Png,
            ImageFormat::WebP,
            ImageFormat::Gif,
        ] {
            let content = encoded(format);
            let kept = without_metadata(content.clone(), format, Orientation::NoTransforms).unwrap();
            assert_eq!(kept, content, "{format:?}");
        }
    }
}
