/* For calls.S: AEGIS_E_ADDRESS (touch.c asserts it). */
#ifndef EXOS_START_STUBS_H
#define EXOS_START_STUBS_H

#define STUBS_ADDRESS 3

#endif
