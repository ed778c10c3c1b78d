/* Forgets the macros of messages.def, so that it can be read with other meanings. No include guard.
 */
#undef CONTROL_RECORD
#undef CONTROL_END
#undef CONTROL_U32
#undef CONTROL_U32_OR_0
#undef CONTROL_U64
#undef CONTROL_NAME
#undef CONTROL_NAME_OR_0
#undef CONTROL_TEXT
#undef CONTROL_BYTES
#undef CONTROL_BYTES_OR_0
#undef CONTROL_MAC
