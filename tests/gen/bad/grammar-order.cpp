// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: releases that are not in order.

constexpr int kNothing = 0;
