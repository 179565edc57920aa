;; The conversions of `simd.js`, sixteen pixels at a time, or four. Made into `kernel.js` by `npm run kernel` in
;; `tests/browser`; a test holds the two together.
;;
;; `ycbcr` works in 64ths, and adds 32 of them before the last shift, which rounds. Luma is a code times 128, chroma a code
;; less 128 times 256: then a rounding multiply by the coefficient times 16384, or times 8192, gives 64ths. What chroma
;; adds is computed once for the two pixels that share it. `simd.js` may change each `i16x8.q15mulr_sat_s` to
;; `i16x8.relaxed_q15mulr_s`, one instruction of x86 instead of five; they differ for -32768 times itself alone.
;;
;; What stays the same for a stream lies at the start of the memory, 16 bytes each:
;;   0 where the eight Y codes are in 16 bytes of luma, as a swizzle into the upper halves of 16-bit lanes
;;   16 where the four U codes and then the four V codes of the same pixels are in 16 bytes of chroma, in the same way
;;   32 Y, 48 red of V, 64 green of U, 80 green of V, 96 blue of U: one value, eight times
;;   112 where red, green and blue of four pixels are in 16 bytes, as a swizzle; 128 what alpha is, four pixels
;;   144 what is added to all three: what rounds, less the code of black
(module
  (memory (export "memory") 1)

  ;; One row: `blocks` times sixteen pixels, from `luma` and `chroma`, which go on by their own steps for each eight.
  (func (export "ycbcr")
    (param $luma i32) (param $chroma i32) (param $to i32) (param $blocks i32)
    (param $lumaStep i32) (param $chromaStep i32)
    (local $y0 v128) (local $y1 v128) (local $first v128) (local $second v128) (local $u v128) (local $v v128)
    (local $red v128) (local $green v128) (local $blue v128) (local $redGreen v128) (local $blueAlpha v128)
    (local $placeY v128) (local $placeUv v128) (local $ofY v128) (local $redOfV v128)
    (local $greenOfU v128) (local $greenOfV v128) (local $blueOfU v128) (local $offset v128) (local $middle v128) (local $opaque v128)
    (local.set $placeY (v128.load (i32.const 0)))
    (local.set $placeUv (v128.load (i32.const 16)))
    (local.set $ofY (v128.load (i32.const 32)))
    (local.set $redOfV (v128.load (i32.const 48)))
    (local.set $greenOfU (v128.load (i32.const 64)))
    (local.set $greenOfV (v128.load (i32.const 80)))
    (local.set $blueOfU (v128.load (i32.const 96)))
    (local.set $offset (v128.load (i32.const 144)))
    (local.set $middle (i16x8.splat (i32.const 0x8000)))
    (local.set $opaque (i8x16.splat (i32.const 255)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $blocks)))
        (local.set $y0
          (i16x8.add
            (i16x8.q15mulr_sat_s
              (i16x8.shr_u (i8x16.swizzle (v128.load (local.get $luma)) (local.get $placeY)) (i32.const 1))
              (local.get $ofY))
            (local.get $offset)))
        (local.set $luma (i32.add (local.get $luma) (local.get $lumaStep)))
        (local.set $y1
          (i16x8.add
            (i16x8.q15mulr_sat_s
              (i16x8.shr_u (i8x16.swizzle (v128.load (local.get $luma)) (local.get $placeY)) (i32.const 1))
              (local.get $ofY))
            (local.get $offset)))
        (local.set $luma (i32.add (local.get $luma) (local.get $lumaStep)))
        (local.set $first (i8x16.swizzle (v128.load (local.get $chroma)) (local.get $placeUv)))
        (local.set $chroma (i32.add (local.get $chroma) (local.get $chromaStep)))
        (local.set $second (i8x16.swizzle (v128.load (local.get $chroma)) (local.get $placeUv)))
        (local.set $chroma (i32.add (local.get $chroma) (local.get $chromaStep)))
        (local.set $u
          (v128.xor
            (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $first) (local.get $second))
            (local.get $middle)))
        (local.set $v
          (v128.xor
            (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $first) (local.get $second))
            (local.get $middle)))
        ;; What chroma adds to eight pairs of pixels.
        (local.set $red (i16x8.q15mulr_sat_s (local.get $v) (local.get $redOfV)))
        (local.set $green
          (i16x8.add
            (i16x8.q15mulr_sat_s (local.get $u) (local.get $greenOfU))
            (i16x8.q15mulr_sat_s (local.get $v) (local.get $greenOfV))))
        (local.set $blue (i16x8.q15mulr_sat_s (local.get $u) (local.get $blueOfU)))
        ;; From here on sixteen pixels, one byte each.
        (local.set $red
          (i8x16.narrow_i16x8_u
            (i16x8.shr_s
              (i16x8.add_sat_s (local.get $y0)
                (i8x16.shuffle 0 1 0 1 2 3 2 3 4 5 4 5 6 7 6 7 (local.get $red) (local.get $red)))
              (i32.const 6))
            (i16x8.shr_s
              (i16x8.add_sat_s (local.get $y1)
                (i8x16.shuffle 8 9 8 9 10 11 10 11 12 13 12 13 14 15 14 15 (local.get $red) (local.get $red)))
              (i32.const 6))))
        (local.set $green
          (i8x16.narrow_i16x8_u
            (i16x8.shr_s
              (i16x8.sub_sat_s (local.get $y0)
                (i8x16.shuffle 0 1 0 1 2 3 2 3 4 5 4 5 6 7 6 7 (local.get $green) (local.get $green)))
              (i32.const 6))
            (i16x8.shr_s
              (i16x8.sub_sat_s (local.get $y1)
                (i8x16.shuffle 8 9 8 9 10 11 10 11 12 13 12 13 14 15 14 15 (local.get $green) (local.get $green)))
              (i32.const 6))))
        (local.set $blue
          (i8x16.narrow_i16x8_u
            (i16x8.shr_s
              (i16x8.add_sat_s (local.get $y0)
                (i8x16.shuffle 0 1 0 1 2 3 2 3 4 5 4 5 6 7 6 7 (local.get $blue) (local.get $blue)))
              (i32.const 6))
            (i16x8.shr_s
              (i16x8.add_sat_s (local.get $y1)
                (i8x16.shuffle 8 9 8 9 10 11 10 11 12 13 12 13 14 15 14 15 (local.get $blue) (local.get $blue)))
              (i32.const 6))))
        (local.set $redGreen
          (i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23 (local.get $red) (local.get $green)))
        (local.set $blueAlpha
          (i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23
            (local.get $blue) (local.get $opaque)))
        (v128.store (local.get $to)
          (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23 (local.get $redGreen) (local.get $blueAlpha)))
        (v128.store offset=16 (local.get $to)
          (i8x16.shuffle 8 9 24 25 10 11 26 27 12 13 28 29 14 15 30 31 (local.get $redGreen) (local.get $blueAlpha)))
        (local.set $redGreen
          (i8x16.shuffle 8 24 9 25 10 26 11 27 12 28 13 29 14 30 15 31 (local.get $red) (local.get $green)))
        (local.set $blueAlpha
          (i8x16.shuffle 8 24 9 25 10 26 11 27 12 28 13 29 14 30 15 31
            (local.get $blue) (local.get $opaque)))
        (v128.store offset=32 (local.get $to)
          (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23 (local.get $redGreen) (local.get $blueAlpha)))
        (v128.store offset=48 (local.get $to)
          (i8x16.shuffle 8 9 24 25 10 11 26 27 12 13 28 29 14 15 30 31 (local.get $redGreen) (local.get $blueAlpha)))
        (local.set $to (i32.add (local.get $to) (i32.const 64)))
        (local.set $blocks (i32.sub (local.get $blocks) (i32.const 1)))
        (br $next))))

  ;; One row of three bytes a pixel: `blocks` times four pixels, which become four bytes each.
  (func (export "rgb") (param $from i32) (param $to i32) (param $blocks i32)
    (local $placeRgb v128) (local $alpha v128)
    (local.set $placeRgb (v128.load (i32.const 112)))
    (local.set $alpha (v128.load (i32.const 128)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $blocks)))
        (v128.store (local.get $to)
          (v128.or
            (i8x16.swizzle (v128.load (local.get $from)) (local.get $placeRgb))
            (local.get $alpha)))
        (local.set $from (i32.add (local.get $from) (i32.const 12)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (local.set $blocks (i32.sub (local.get $blocks) (i32.const 1)))
        (br $next)))))
