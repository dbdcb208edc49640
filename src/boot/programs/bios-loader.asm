; The BIOS loader of an appliance: all of it lies in the first 440 bytes of the disk. It follows a table of loads that the
; writer of the disk has filled in, so it knows no partition table and no file system, and then enters the kernel by its
; real-mode entry (Linux x86 boot protocol, "Running the kernel"). Each load goes through a low buffer and is moved up in a
; short visit to protected mode: unlike unreal mode that survives firmware that changes modes inside INT 13h.

        bits 16
        org  0x7c00

LOADS           equ 0x7c00 + 0x180
LOADS_END       equ LOADS + 4 * 12
LOAD_LBA        equ 0           ; first sector
LOAD_SECTORS    equ 4           ; how many; none ends the load
LOAD_ADDRESS    equ 8           ; physical, below 4 GiB
BUFFER          equ 0x20000
PIECE           equ 64          ; sectors: no piece crosses 64 KiB, and every firmware takes so many
SETUP_SEGMENT   equ 0x1000      ; where the writer puts the kernel's real-mode part
SETUP_STACK     equ 0xe000
TRIES           equ 4

start:  cli
        xor     ax, ax
        mov     ss, ax
        mov     sp, 0x7c00
        mov     ds, ax
        mov     es, ax
        jmp     0:origin
origin: sti
        cld
        mov     [drive], dl
        mov     ax, 0x2401              ; A20 by the firmware, then by the chipset
        int     0x15
        in      al, 0x92
        test    al, 2
        jnz     .opened
        or      al, 2
        and     al, 0xfe                ; bit 0 resets the machine
        out     0x92, al
.opened:
        mov     bp, LOADS

piece:  mov     eax, [bp + LOAD_SECTORS]
        test    eax, eax
        jz      loaded
        cmp     eax, PIECE
        jbe     .fits
        mov     eax, PIECE
.fits:  mov     [count], ax
        mov     byte [tries], TRIES
.read:  mov     ax, [count]             ; the firmware may have changed the packet
        mov     [packet.sectors], ax
        mov     eax, [bp + LOAD_LBA]
        mov     [packet.lba], eax
        mov     si, packet
        mov     dl, [drive]
        mov     ah, 0x42
        push    bp
        int     0x13
        pop     bp
        jnc     .move
        dec     byte [tries]
        jz      failed
        mov     dl, [drive]
        xor     ah, ah                  ; reset and try again
        int     0x13
        jmp     .read

.move:  movzx   ecx, word [count]
        add     [bp + LOAD_LBA], ecx
        sub     [bp + LOAD_SECTORS], ecx
        shl     ecx, 7                  ; 512 bytes are 128 double words
        mov     edi, [bp + LOAD_ADDRESS]
        mov     esi, BUFFER
        cli
        lgdt    [descriptors]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     CODE32:.protected
        bits 32
.protected:
        mov     ax, DATA32
        mov     ds, ax
        mov     es, ax
        rep movsd
        jmp     CODE16:.narrow
        bits 16
.narrow:
        mov     ax, DATA16              ; limits of 64 KiB again, as real mode expects them
        mov     ds, ax
        mov     es, ax
        mov     eax, cr0
        and     al, 0xfe
        mov     cr0, eax
        jmp     0:.real
.real:  xor     ax, ax
        mov     ds, ax
        mov     es, ax
        sti
        mov     [bp + LOAD_ADDRESS], edi
        jmp     piece

loaded: mov     al, '.'
        call    print
        add     bp, 12
        cmp     bp, LOADS_END
        jb      piece
        cli
        mov     ax, SETUP_SEGMENT
        mov     ds, ax
        mov     es, ax
        mov     fs, ax
        mov     gs, ax
        mov     ss, ax
        mov     sp, SETUP_STACK
        jmp     SETUP_SEGMENT + 0x20:0

failed: mov     si, message
.next:  lodsb
        test    al, al
        jz      .stop
        call    print
        jmp     .next
.stop:  hlt
        jmp     .stop

print:  mov     ah, 0x0e
        mov     bx, 7
        push    bp
        int     0x10
        pop     bp
        ret

message:
        db      "disk read error", 0
drive:  db      0
tries:  db      0
count:  dw      0

        align   4
packet: db      16, 0
.sectors:
        dw      0
        dw      0, BUFFER >> 4
.lba:   dd      0, 0

        align   8
table:  dq      0
        dq      0x00cf9a000000ffff
        dq      0x00cf92000000ffff
        dq      0x00009a000000ffff
        dq      0x000092000000ffff
CODE32  equ     0x08
DATA32  equ     0x10
CODE16  equ     0x18
DATA16  equ     0x20
descriptors:
        dw      5 * 8 - 1
        dd      table

        times LOADS - 0x7c00 - ($ - $$) db 0
        times 440 - ($ - $$) db 0
